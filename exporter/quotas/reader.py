"""Reads the quotas of one target once per interval, and decides how long they are shown.

A read that fails is logged once and repeated after a minute, then less and less often. Until one succeeds, the last
quotas are shown, for three intervals at most: they change rarely, and an old limit is more useful than none for a
while.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

from exporter.clock import Clock
from exporter.ledger.store import Target
from exporter.polling.api import ApiError
from exporter.polling.attempts import Attempts
from exporter.process.logs import Log
from exporter.quotas.applied import LIST_QUOTAS, Quotas, QuotaSource, read_quotas

_log = Log(__name__)
# The target is looked at at least this often (seconds): its account and region may become others.
_LOOK = 60.0
# How many intervals quotas are shown after they were read.
_SHOWN = 3


class View(Protocol):
    """Shows what the reader finds."""

    def quotas(self, target: Target, quotas: Quotas | None) -> None: ...

    def up(self, target: Target, up: bool) -> None: ...

    def forget(self, target: Target) -> None: ...


@dataclass(slots=True)
class Reads:
    """What the reads of one target have found so far. `read` is the end of the last successful one (monotonic
    clock)."""

    target: Target
    attempts: Attempts = field(default_factory=Attempts)
    quotas: Quotas | None = None
    read: float = -math.inf

    def copy(self) -> Reads:
        """Return a copy that can be continued independently."""
        return replace(self, attempts=replace(self.attempts))


class QuotaReader:
    """Reads the quotas of one target, once its account and region are known. `failed` is told each failure.

    With an interval of 0 it reads nothing. After a reload it continues from the state of the `earlier` one.
    """

    def __init__(
        self,
        interval: float,
        source: QuotaSource,
        view: View,
        failed: Callable[[ApiError], None],
        clock: Clock,
        earlier: QuotaReader | None = None,
    ) -> None:
        self._interval, self._source, self._view, self._clock = interval, source, view, clock
        self._report_failure = failed
        self.state: Reads | None = earlier.state.copy() if earlier and earlier.state else None
        self._known = asyncio.Event()

    def follow(self, target: Target) -> None:
        """Read the quotas of this account and region from now on."""
        if self.state and self.state.target != target:
            self._view.forget(self.state.target)
            self.state = None
        self.state = self.state or Reads(target)
        self._known.set()
        self._publish(self.state)

    def rest(self) -> None:
        """Read and show nothing until the target is followed again."""
        self._known.clear()
        if self.state:
            self._view.forget(self.state.target)

    async def run(self) -> None:
        """Read quotas until cancelled."""
        while self._interval:
            await self._known.wait()
            await self.read()
            await self._clock.sleep(min(self._pause(), _LOOK))

    async def read(self) -> None:
        """Read the quotas if they are due. Raises nothing unless cancelled."""
        state = self.state
        if not self._interval or not self._known.is_set() or state is None:
            return
        if state.attempts.due(self._interval) <= self._clock.monotonic():
            try:
                await self._read(state)
            except Exception:  # noqa: BLE001
                # A mistake in this code must not end the polling of jobs.
                _log.exception("reading quotas failed unexpectedly", target="/".join(state.target))
                state.attempts.failed(self._clock.monotonic())
        # The target may have got another name meanwhile, or is polled by another process.
        if state is self.state and self._known.is_set():
            self._publish(state)

    async def _read(self, state: Reads) -> None:
        account, region = state.target
        target = f"{account}/{region}"
        try:
            state.quotas = await read_quotas(self._source, region)
        except ApiError as error:
            state.attempts.failed(self._clock.monotonic())
            self._report_failure(error)
            # Without credentials the polls fail too, and log it.
            if error.operation == LIST_QUOTAS and state.attempts.is_news(error.code):
                _log.warning("quotas cannot be read", target=target, shown=self._shown(state), **error.fields)
            return
        if state.attempts.warned:
            _log.info("quotas are read again", target=target)
        state.read = self._clock.monotonic()
        state.attempts.succeeded(state.read)

    def _expires(self, state: Reads) -> float:
        return state.read + _SHOWN * self._interval

    def _shown(self, state: Reads) -> bool:
        return state.quotas is not None and self._clock.monotonic() < self._expires(state)

    def _pause(self) -> float:
        """Return the seconds until the next read, or until the quotas expire."""
        state, now = self.state, self._clock.monotonic()
        if state is None:
            return 1.0
        due = state.attempts.due(self._interval)
        return max((min(due, self._expires(state)) if self._shown(state) else due) - now, 1.0)

    def _publish(self, state: Reads) -> None:
        if not self._interval:
            return
        self._view.quotas(state.target, state.quotas if self._shown(state) else None)
        if (ok := state.attempts.ok) is not None:
            self._view.up(state.target, ok)
