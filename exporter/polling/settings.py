"""Defines the settings of a poller."""

from __future__ import annotations

from dataclasses import dataclass, field

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
