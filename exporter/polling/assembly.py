"""Builds the poller of a target from its settings."""

from __future__ import annotations

from exporter.clock import Clock
from exporter.ledger.ledger import Ledger
from exporter.ledger.store import Target
from exporter.polling.api import Api
from exporter.polling.failures import RecentFailures
from exporter.polling.health import Health
from exporter.polling.intake import Intake
from exporter.polling.poller import Poller
from exporter.polling.recording import Display
from exporter.polling.settings import PollerSettings
from exporter.polling.tracker import Tracker, TrackerTiming


def assemble(
    target: Target,
    api: Api,
    settings: PollerSettings,
    ledger: Ledger,
    display: Display,
    health: Health,
    clock: Clock,
    first_slot: float = 0.0,
) -> Poller:
    """Return the poller of a target whose account is resolved. It polls nothing until it runs.

    `first_slot` is the first job's position within the interval, from 0 to 1. Targets get different ones, so that their
    describes do not coincide.
    """
    account, region = target
    tracker = Tracker(
        TrackerTiming(settings.active_interval, settings.settle, settings.retention, settings.resync_interval),
        first_slot,
    )
    intake = Intake(account, region, settings.allowlist, tracker, health, RecentFailures(api.now, settings.lookback))
    return Poller(target, api, settings, tracker, intake, ledger, display, health, clock)
