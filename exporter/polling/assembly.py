"""Builds the poller of a target from its settings."""

from __future__ import annotations

from dataclasses import dataclass, field

from exporter.clock import Clock
from exporter.ledger.ledger import Ledger
from exporter.ledger.store import Target
from exporter.polling.api import Api
from exporter.polling.health import Health
from exporter.polling.intake import Intake
from exporter.polling.poller import Display, Poller, Schedule
from exporter.polling.tracker import Tracker, TrackerTiming
from exporter.training.parsing import Allowlist

_DAY = 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PollerSettings:
    """How a target is polled. Times are in seconds; `config.settings.Polling` and `Jobs` document each setting.

    `workers` is the number of concurrent describes, `search` is true for `strategy: search`.
    """

    discovery_interval: float = 60.0
    active_interval: float = 30.0
    settle: float = 120.0
    retention: float = 3600.0
    resync_interval: float = 3600.0
    lookback: float = 30 * _DAY
    search: bool = False
    workers: int = 10
    allowlist: Allowlist = field(default_factory=Allowlist)


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
    schedule = Schedule(
        settings.discovery_interval,
        settings.active_interval,
        settings.resync_interval,
        settings.lookback,
        settings.search,
        settings.workers,
    )
    intake = Intake(account, region, settings.allowlist, tracker, health)
    return Poller(target, api, schedule, tracker, intake, ledger, display, health, clock)
