"""Read prices periodically: the list of each region from AWS, and the price file, which overrides it.

A failure logs one warning and is retried with backoff, sooner than the refresh interval. Meanwhile the last good prices
stay in use.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from exporter.clock import Clock
from exporter.config.problems import ConfigError, Problem
from exporter.polling.api import ApiError
from exporter.polling.attempts import Attempts
from exporter.prices import files
from exporter.prices.book import Adjustment, PriceBook, PriceList
from exporter.prices.cached import Kept, PriceCache, decoded, encoded
from exporter.prices.products import GET_PRODUCTS, NO_ENDPOINT, PriceSource, read_products
from exporter.process.logs import Log

_log = Log(__name__)
# The regions are checked at least this often (seconds).
_LOOK = 60.0
# How the failure to use a list or the price file is called where there is no code of AWS.
_FILE, _INVALID = "PriceFile", "InvalidPrices"


class View(Protocol):
    """Receive what the reader has read."""

    def prices(self, book: PriceBook, regions: Collection[str]) -> None:
        """Show a new book, whose prices differ from those of the last one in these regions."""
        ...

    def up(self, region: str, up: bool) -> None:
        """Show whether the last read of a region's prices succeeded."""
        ...

    def failed(self, region: str, error: ApiError) -> None:
        """Show why prices could not be read, in a region or, if that is "", in all of them."""
        ...


@dataclass(frozen=True, slots=True)
class PriceSettings:
    """Configure where prices come from. `file` is "" if there is none; the interval is in seconds."""

    api: bool
    file: str
    refresh_interval: float


@dataclass(slots=True)
class _Region:
    """Hold the prices of a region, and when a list without an invalid entry was last read (Unix seconds)."""

    attempts: Attempts = field(default_factory=Attempts)
    prices: PriceList | None = None
    read: float = 0.0


class PriceReader:
    """Keep `book` up to date. `regions` returns the polled regions that are known so far."""

    def __init__(
        self,
        settings: PriceSettings,
        adjustments: tuple[Adjustment, ...],
        regions: Callable[[], Iterable[str]],
        source: PriceSource,
        cache: PriceCache,
        view: View,
        clock: Clock,
    ) -> None:
        self._settings, self._adjustments, self._polled = settings, adjustments, regions
        self._source, self._cache, self._view, self._clock = source, cache, view, clock
        self.book = PriceBook({}, adjustments)
        self._file = Attempts()
        self._of_file: Mapping[str, PriceList] = {}
        self._regions: dict[str, _Region] = {}
        self._changed = asyncio.Event()

    def look_again(self) -> None:
        """Look at the polled regions at once: one of them may be new."""
        self._changed.set()

    async def run(self) -> None:
        """Read prices until cancelled."""
        while self._on:
            self._changed.clear()
            await self.read()
            now = self._clock.monotonic()
            soonest = min(map(self._due, self._all_attempts()), default=now + _LOOK)
            await self._sleep(min(max(soonest - now, 1.0), _LOOK))

    async def read(self) -> None:
        """Read every list that is due. Raises only if cancelled."""
        if not self._on:
            return
        if self._settings.file and self._due(self._file) <= self._clock.monotonic():
            await self._guarded("", self._read_file())
            self._publish(self._regions)
        regions = self._polled_regions()
        if new := {region: _Region() for region in regions if region not in self._regions}:
            # Before the first request, which may take long: until then jobs would be recorded without a price.
            await self._load(new)
            self._regions |= new
            self._publish(new)
        for region in regions:
            if self._settings.api and self._due(self._regions[region].attempts) <= self._clock.monotonic():
                await self._guarded(region, self._read_region(region))
            if not self._settings.api and self._file.ok and region not in self._of_file:
                self._warn_of_absence(region)
            self._publish([region])

    async def _sleep(self, seconds: float) -> None:
        """Sleep, but not longer than until the regions have changed."""
        waiting = [asyncio.ensure_future(self._clock.sleep(seconds)), asyncio.ensure_future(self._changed.wait())]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waiting:
                each.cancel()

    @property
    def _on(self) -> bool:
        return self._settings.api or bool(self._settings.file)

    def _due(self, attempts: Attempts) -> float:
        return attempts.due(self._settings.refresh_interval)

    def _all_attempts(self) -> list[Attempts]:
        # A region whose targets are polled no more, or by another replica, stays due.
        polled = [self._regions[region] for region in self._polled_regions() if region in self._regions]
        of_regions = [each.attempts for each in polled] if self._settings.api else []
        return [*of_regions, *([self._file] if self._settings.file else [])]

    def _polled_regions(self) -> list[str]:
        return list(dict.fromkeys(filter(None, self._polled())))

    async def _guarded(self, region: str, reading: Awaitable[None]) -> None:
        try:
            await reading
        except Exception:  # noqa: BLE001
            # A bug here must not stop the polling of jobs.
            _log.exception("reading prices failed unexpectedly", region=region or None)
            attempts = self._regions[region].attempts if region else self._file
            attempts.failed(self._clock.monotonic())

    async def _load(self, regions: Mapping[str, _Region]) -> None:
        """Load the cached lists of an earlier run. The next read is due when one is as old as the refresh interval."""
        try:
            texts = await self._cache.load() if self._settings.api else {}
        except Exception:  # noqa: BLE001
            _log.exception("reading cached prices failed")
            return
        for region, state in regions.items():
            if kept := decoded(texts.get(region)):
                state.prices, state.read = kept
                age = self._clock.time() - kept.read
                if 0 <= age < self._settings.refresh_interval:
                    state.attempts.succeeded(self._clock.monotonic() - age)

    async def _read_region(self, region: str) -> None:
        state = self._regions[region]
        try:
            found = await read_products(self._source, region)
        except ApiError as error:
            if error.code == NO_ENDPOINT and region in self._of_file:
                state.attempts.succeeded(self._clock.monotonic())
                return
            state.attempts.failed(self._clock.monotonic())
            self._view.failed(region, error)
            # Another operation, such as resolving credentials, fails for the polls too, which log it.
            if error.operation == GET_PRODUCTS and state.attempts.is_news(error.code):
                _log.warning("reading prices failed", region=region, kept=state.prices is not None, **error.fields)
            return
        prices = found.lists[region]
        if found.bad:
            state.attempts.failed(self._clock.monotonic())
            # An entry that is invalid now must not drop the price that was read before.
            before, state.prices = state.prices, state.prices.overlaid(prices) if state.prices else prices
            if before != state.prices:
                await self._keep(region, state.prices, state.read)
            self._view.failed(region, ApiError(GET_PRODUCTS, _INVALID, _some(len(found.bad))))
            if state.attempts.is_news("half"):
                first = f"{found.bad[0].entry}: {found.bad[0].problem}"
                _log.warning("some prices of the list are invalid", region=region, entries=len(found.bad), first=first)
            return
        if state.attempts.warned:
            _log.info("reading prices works again", region=region)
        state.attempts.succeeded(self._clock.monotonic())
        state.prices, state.read = prices, self._clock.time()
        await self._keep(region, prices, state.read)

    async def _keep(self, region: str, prices: PriceList, read: float) -> None:
        try:
            await self._cache.store(region, encoded(Kept(prices, read)))
        except Exception:  # noqa: BLE001
            _log.exception("caching prices failed", region=region)

    async def _read_file(self) -> None:
        try:
            found = await asyncio.to_thread(files.read, self._settings.file)
        except ConfigError as error:
            self._file.failed(self._clock.monotonic())
            self._view.failed("", ApiError(_FILE, _INVALID, f"{len(error.problems)} problems; the log has the first"))
            if self._is_news_of_file(error.problems):
                _log.warning("reading the price file failed", problems=len(error.problems), **error.problems[0].fields)
            return
        if found.bad:
            self._file.failed(self._clock.monotonic())
            # An entry that is invalid now must not drop the price that was read before.
            self._of_file = {**self._of_file, **_overlaid(self._of_file, found.lists)}
            wrong = files.problems(self._settings.file, found)
            self._view.failed("", ApiError(_FILE, _INVALID, _some(len(wrong))))
            if self._is_news_of_file(wrong):
                _log.warning("some prices of the file are invalid", problems=len(wrong), **wrong[0].fields)
            return
        self._of_file = found.lists
        if self._file.warned:
            _log.info("reading the price file works again", file=self._settings.file)
        self._file.succeeded(self._clock.monotonic())

    def _is_news_of_file(self, problems: Sequence[Problem]) -> bool:
        return self._file.is_news("\n".join(map(str, problems)))

    def _warn_of_absence(self, region: str) -> None:
        if self._regions[region].attempts.is_news("absent"):
            self._view.failed(region, ApiError(_FILE, "NoPrices", "it has no prices for this region"))
            _log.warning("the price file has no prices for a polled region", region=region, file=self._settings.file)

    def _publish(self, regions: Collection[str]) -> None:
        """Show the current prices of these regions, and whether the last reads for them succeeded."""
        changed: dict[str, PriceList | None] = {}
        for region in regions:
            if (prices := self._prices(region)) != self.book.regions.get(region):
                changed[region] = prices
        if changed:
            lists = {**self.book.regions, **changed}
            self.book = PriceBook({name: prices for name, prices in lists.items() if prices}, self._adjustments)
            self._view.prices(self.book, changed)
        for region in regions:
            if (up := self._up(region)) is not None:
                self._view.up(region, up)

    def _prices(self, region: str) -> PriceList | None:
        listed, own = self._regions[region].prices, self._of_file.get(region)
        return listed.overlaid(own) if listed and own else own or listed

    def _up(self, region: str) -> bool | None:
        api = self._settings.api
        states: list[bool | None] = [self._regions[region].attempts.ok if api else region in self._of_file]
        if self._settings.file:
            states.append(self._file.ok)
        return None if None in states else all(states)


def _some(number: int) -> str:
    return f"{number} invalid entries; the log has the first"


def _overlaid(before: Mapping[str, PriceList], lists: Mapping[str, PriceList]) -> dict[str, PriceList]:
    """Return the new lists, completed with the prices that only the earlier lists of the same region have."""
    return {region: before[region].overlaid(found) if region in before else found for region, found in lists.items()}
