"""Wires quotas together: the configuration, a reader for each target, and what they show."""

from __future__ import annotations

import asyncio

from exporter.aws.client import InFlight
from exporter.aws.rates import RateLimiters
from exporter.aws.servicequotas import AppliedQuotas, quota_limits
from exporter.aws.sessions import Sessions
from exporter.clock import Clock
from exporter.config import Config
from exporter.exposition.board import Board
from exporter.ledger.store import Target
from exporter.polling.health import Health
from exporter.process.logs import Log
from exporter.quotas.display import QuotaDisplay
from exporter.quotas.reader import QuotaReader
from exporter.wiring.targets import TargetSpec

_log = Log(__name__)
# How long `once` waits for the quotas of a target: some timeouts of one answer, and the seconds that all pages take at
# the pace that AWS allows.
_TIMEOUTS_AT_ONCE, _PAGES = 2, 10.0


class TargetQuotas:
    """The quotas of all targets of one application."""

    def __init__(
        self,
        config: Config,
        sessions: Sessions,
        in_flight: InFlight,
        clock: Clock,
        board: Board,
    ) -> None:
        self._interval = config.quotas.interval
        self._limits = quota_limits(config.polling.max_concurrency, config.polling.timeout)
        self._sessions, self._in_flight, self._clock = sessions, in_flight, clock
        self.display = QuotaDisplay(board)
        self.limiters: dict[str, RateLimiters] = {}
        self.readers: dict[str, QuotaReader] = {}

    def add(self, spec: TargetSpec, health: Health, earlier: TargetQuotas | None = None) -> None:
        """Add a target, whose `health` counts the requests and has the failures. After a reload it continues from what
        the `earlier` application has read, within the same limits."""
        limiters = earlier.limiters.get(spec.key) if earlier else None
        if limiters is None or limiters.limits != self._limits:
            limiters = RateLimiters(self._limits, self._clock)
        source = AppliedQuotas(self._sessions, spec.role, limiters, self._in_flight, self._clock, health.calls)
        before = earlier.readers.get(spec.key) if earlier else None
        self.limiters[spec.key] = limiters
        self.readers[spec.key] = QuotaReader(self._interval, source, self.display, health.noticed, self._clock, before)

    def follow(self, spec: TargetSpec, target: Target) -> None:
        """Read the quotas of a target from now on: its account and region are known."""
        self.readers[spec.key].follow(target)

    def rest(self, spec: TargetSpec) -> None:
        """Read no quotas of a target until it is followed again."""
        self.readers[spec.key].rest()

    async def run(self) -> None:
        """Read the quotas of all targets until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for reader in self.readers.values():
                tasks.create_task(reader.run())

    async def once(self, spec: TargetSpec) -> None:
        """Read the quotas of a target once, for a limited time."""
        try:
            async with asyncio.timeout(_TIMEOUTS_AT_ONCE * self._limits.timeout + _PAGES):
                await self.readers[spec.key].read()
        except TimeoutError:
            _log.warning("quotas were not read in time", target=spec.key)
