"""Price lists that answer as they are told, in virtual time, and a view that keeps what is shown."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise

from exporter.polling.api import ApiError
from exporter.prices.book import PriceBook
from exporter.prices.reader import PriceReader, PriceSettings
from exporter.training.usage import TRAINING
from tests.prices.listed import REGION, MemoryCache
from tests.virtual_time import LoopClock, background

DAY = 86400.0
ML = "ml.m5.xlarge"


@dataclass
class Lists:
    """Serve price lists by region; if the value of a region is an error, raise it."""

    by_region: dict[str, list[object] | Exception] = field(default_factory=dict)
    reads: list[tuple[float, str]] = field(default_factory=list)

    async def items(self, region: str) -> AsyncGenerator[Sequence[object]]:
        self.reads.append((asyncio.get_running_loop().time(), region))
        found = self.by_region.get(region, [])
        if isinstance(found, Exception):
            raise found
        for one in found:
            yield [json.dumps(one) if isinstance(one, dict) else one]

    def gaps(self) -> list[float]:
        """Return the times between successive reads, in seconds."""
        return [round(later - earlier) for (earlier, _), (later, _) in pairwise(self.reads)]


@dataclass
class Shown:
    book: PriceBook = field(default_factory=PriceBook)
    books: int = 0
    states: dict[str, bool] = field(default_factory=dict)
    errors: list[tuple[str, str]] = field(default_factory=list)

    def prices(self, book: PriceBook, regions: Collection[str]) -> None:
        self.book, self.books = book, self.books + 1

    def up(self, region: str, up: bool) -> None:
        self.states[region] = up

    def failed(self, region: str, error: ApiError) -> None:
        self.errors.append((region, error.code))

    def price(self, region: str = REGION, name: str = ML) -> Decimal | None:
        return self.book.list_price(region, name, TRAINING)


@dataclass
class World:
    lists: Lists = field(default_factory=Lists)
    shown: Shown = field(default_factory=Shown)
    cache: MemoryCache = field(default_factory=MemoryCache)
    regions: list[str] = field(default_factory=lambda: [REGION])

    def reader(self, *, api: bool = True, file: str = "", interval: float = DAY) -> PriceReader:
        settings = PriceSettings(api, file, interval)
        return PriceReader(settings, (), lambda: self.regions, self.lists, self.cache, self.shown, LoopClock())


def reading(reader: PriceReader) -> AbstractAsyncContextManager[None]:
    """Read in the background while the block runs, which begins when the first read is over."""
    return background(reader.run(), 1)


def world(**by_region: list[object] | Exception) -> World:
    return World(Lists({name.replace("_", "-"): found for name, found in by_region.items()}))
