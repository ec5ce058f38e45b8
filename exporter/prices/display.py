"""Put prices and hardware of the instance types in use on the board, and whether each region's prices were read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable

from exporter.exposition.board import Board
from exporter.ledger.store import Target
from exporter.polling.sources import show_source
from exporter.prices.book import PriceBook
from exporter.prices.families import HARDWARE, PRICES, ListPrices
from exporter.prices.hardware import hardware_of
from exporter.training.usage import USAGES

SOURCE = "prices"


class PriceDisplay:
    """Implement the reader's `View` on a board.

    `targets` returns the (account, region) of every target; a part that is not known yet is "".
    """

    def __init__(self, board: Board, targets: Callable[[], Iterable[Target]]) -> None:
        self._board, self._targets = board, targets
        self._book = PriceBook()
        self._up: dict[str, bool] = {}
        # Instance types by region. `seen` is called at each change of a job, but only a new type changes the board.
        self._seen = defaultdict[str, set[str]](set)

    def seen(self, region: str, instance_type: str) -> None:
        """Show an instance type in a region from now on, because a job there uses it."""
        if instance_type not in self._seen[region]:
            self._seen[region].add(instance_type)
            self._put_hardware(instance_type)
            self._put_prices(region, instance_type)

    def prices(self, book: PriceBook, regions: Iterable[str]) -> None:
        """Show a new book, whose prices differ from those of the last one in these regions."""
        self._book = book
        for region in regions:
            for instance_type in self._seen.get(region, ()):
                self._put_prices(region, instance_type)
        # A list may describe the hardware of types that other regions use.
        for instance_type in set().union(*self._seen.values()):
            self._put_hardware(instance_type)

    def up(self, region: str, up: bool) -> None:
        """Show at each target of a region whether the last read of its prices succeeded."""
        self._up[region] = up
        for target in self._targets():
            if target[1] == region:
                show_source(self._board, target, SOURCE, up)

    def is_up(self, region: str) -> bool | None:
        """Return whether the last read of a region's prices succeeded, None if there was none; in any thread."""
        return self._up.get(region)

    def known(self, target: Target) -> None:
        """Show the state of the price source at a target whose account and region are known now."""
        if target[1] in self._up:
            show_source(self._board, target, SOURCE, self._up[target[1]])

    def forget(self, target: Target) -> None:
        """Remove a target that is not polled any more, or not under this name."""
        show_source(self._board, target, SOURCE, None)

    def _put_hardware(self, instance_type: str) -> None:
        hardware = hardware_of(instance_type, self._book.hardware(instance_type))
        self._board.put(HARDWARE, instance_type, (instance_type,), hardware)

    def _put_prices(self, region: str, instance_type: str) -> None:
        listed = self._book.regions.get(region)
        found = ((usage, self._book.list_price(region, instance_type, usage)) for usage in USAGES)
        prices = {usage: price for usage, price in found if price is not None}
        key = (region, instance_type)
        if listed is None or not prices:
            self._board.remove(PRICES, key)
        else:
            self._board.put(PRICES, key, key, ListPrices(listed.currency, prices))
