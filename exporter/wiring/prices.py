"""Wire up prices: the reader with its settings, source, cache and display, and the rates for the ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence

from exporter.aws.client import InFlight
from exporter.aws.pricing import PriceLists, pricing_limits
from exporter.aws.rates import RateLimiters
from exporter.aws.sessions import Sessions
from exporter.clock import Clock
from exporter.config import Config
from exporter.exposition.board import Board
from exporter.ledger.ledger import Ledger
from exporter.ledger.store import Target
from exporter.polling.api import ApiError, Calls
from exporter.polling.health import Health
from exporter.prices.book import Adjustment, Hardware, PriceBook
from exporter.prices.cached import LedgerCache
from exporter.prices.display import PriceDisplay
from exporter.prices.hardware import hardware_of
from exporter.prices.reader import PriceReader, PriceSettings
from exporter.training.cost import Rate, RateOf


class Pricing:
    """Own the price reader of the application and its display.

    `targets` returns the (account, region) of every target; a part that is not known yet is "". `healths` returns
    the health of each target in a region, of all targets for "".
    """

    def __init__(
        self,
        config: Config,
        sessions: Sessions,
        in_flight: InFlight,
        clock: Clock,
        ledger: Ledger,
        board: Board,
        targets: Callable[[], list[Target]],
        healths: Callable[[str], Sequence[Health]],
    ) -> None:
        prices, polling = config.prices, config.polling
        self.display = PriceDisplay(board, targets)
        self._targets, self._healths = targets, healths
        self._changed: set[str] = set()
        self._arrived = asyncio.Event()
        limiters = RateLimiters(pricing_limits(polling.max_concurrency, polling.timeout), clock)
        self.reader = PriceReader(
            PriceSettings(prices.source == "api", prices.file, prices.refresh_interval),
            tuple(Adjustment(a.multiplier, a.account, a.instance_type, a.usage) for a in prices.adjustments),
            lambda: [region for _, region in targets()],
            PriceLists(sessions, limiters, in_flight, clock, self._calls),
            LedgerCache(ledger),
            self,
            clock,
        )
        # With `source: none` the ledger counts neither costs nor unpriced instance seconds.
        self.rate_of: RateOf | None = self._rate if prices.source != "none" else None

    def known(self, target: Target) -> None:
        """Show the state of prices at a target that is polled from now on, and read the prices of its region."""
        self.display.known(target)
        self.reader.look_again()

    async def arrived(self) -> Collection[str]:
        """Wait until prices have changed, or have come into force, since this method last returned; return the regions
        in which they have."""
        await self._arrived.wait()
        self._arrived.clear()
        changed, self._changed = self._changed, set()
        return changed

    def in_force(self) -> None:
        """Wake up `arrived`: the ledger uses these prices from now on, instead of those of an earlier application."""
        self._arrive(region for _, region in self._targets())

    def prices(self, book: PriceBook, regions: Collection[str]) -> None:
        """Show a new book, and wake up `arrived` (the reader's View)."""
        self.display.prices(book, regions)
        self._arrive(regions)

    def up(self, region: str, up: bool) -> None:
        """Show whether the last read of a region's prices succeeded (the reader's View)."""
        self.display.up(region, up)

    def failed(self, region: str, error: ApiError) -> None:
        """Show a failure at each target that it concerns (the reader's View)."""
        for health in self._healths(region):
            health.noticed(error)

    def hardware(self, instance_type: str) -> Hardware:
        """Return the hardware of a type: that of the price list, completed from the packaged table."""
        return hardware_of(instance_type, self.reader.book.hardware(instance_type))

    def _arrive(self, regions: Iterable[str]) -> None:
        self._changed.update(regions)
        self._arrived.set()

    def _calls(self, region: str) -> Calls:
        """Return where requests are counted that are for all targets of a region: with the first of them."""
        return self._healths(region)[0].calls

    def _rate(self, account: str, region: str, instance_type: str, usage: str) -> Rate | None:
        """Return the current rate. Safe in any thread: a book is immutable, and a new one replaces it."""
        return self.reader.book.rate(account, region, instance_type, usage)
