"""What `/metrics` shows: the sections of the exposition, kept up to date by the pollers, joined for a scrape."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing
from itertools import chain, islice
from typing import Any, TypeVar

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics_exposition

from exporter.exposition.family import Family, Group
from exporter.exposition.gzip import HEADER, Segment, Trailer
from exporter.exposition.section import Section, Uncompressed
from exporter.exposition.text import DIALECTS, OPENMETRICS, TEXT, Dialect

T = TypeVar("T")
# What a scrape sends at a time, so that neither the loop nor the client waits long for a piece.
_CHUNK = 1 << 19
# What another thread compresses at a time: a megabyte, about.
_BATCH = 32


class Board:
    """Shows things by the groups of families that it is given, in their order. `shows` says whether a family is shown,
    `refresh` is called before each scrape and may `put` what nobody else does."""

    def __init__(
        self,
        groups: Iterable[Group[Any]],
        shows: Callable[[Group[Any], Family[Any]], bool] = lambda group, family: True,
        refresh: Callable[[], None] = lambda: None,
    ) -> None:
        self._refresh = refresh
        self._sections = {
            group: _sections(group, [family for family in group.families if shows(group, family)]) for group in groups
        }
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)

    def put(self, group: Group[T], key: Hashable, base: Sequence[str], thing: T) -> None:
        """Show a thing, new or changed; `base` are the values of the labels that say whose its samples are."""
        for section in set(self._sections[group].values()):
            section.put(key, base, thing)

    def remove(self, group: Group[Any], key: Hashable) -> None:
        """Show a thing no more; one that is not there is no error."""
        for section in set(self._sections[group].values()):
            section.remove(key)

    def series(self) -> dict[str, int]:
        """How many samples there are of each family that is shown. OpenMetrics also says when each total began: its
        `_created` are not counted."""
        return {name: n for sections in self._sections.values() for name, n in sections[TEXT].series()}

    async def metrics(self, openmetrics: bool, gzip: bool) -> AsyncGenerator[bytes, None]:
        """The exposition, in pieces; between two of them others get their turn."""
        dialect = OPENMETRICS if openmetrics else TEXT
        self._refresh()
        sections = [sections[dialect] for sections in self._sections.values()]
        own = self._own_metrics(openmetrics) + dialect.end
        waiting: list[bytes] = []
        size = 0
        joined = _zipped(sections, dialect, own) if gzip else _plain(sections, dialect, own)
        async with aclosing(joined) as pieces:
            async for piece in pieces:
                waiting.append(piece)
                size += len(piece)
                if size >= _CHUNK:
                    yield b"".join(waiting)
                    await asyncio.sleep(0)
                    waiting.clear()
                    size = 0
        yield b"".join(waiting)

    def _own_metrics(self, openmetrics: bool) -> bytes:
        encode = openmetrics_exposition.generate_latest if openmetrics else generate_latest
        text: bytes = encode(self._registry)
        return text.removesuffix(b"# EOF\n")


def _sections(group: Group[Any], families: Sequence[Family[Any]]) -> Mapping[Dialect, Section[Any]]:
    """A section for each dialect; one for all where their samples are written alike."""
    if all(family.kind in ("gauge", "info") for family in families):
        return dict.fromkeys(DIALECTS, Section(families, group.samples, TEXT))
    return {dialect: Section(families, group.samples, dialect) for dialect in DIALECTS}


async def _plain(sections: Iterable[Section[Any]], dialect: Dialect, own: bytes) -> AsyncGenerator[bytes, None]:
    for piece in chain.from_iterable([section.text(dialect) for section in sections]):
        yield piece
    yield own


async def _zipped(sections: Iterable[Section[Any]], dialect: Dialect, own: bytes) -> AsyncGenerator[bytes, None]:
    trailer = Trailer()
    yield HEADER
    parts = chain.from_iterable([section.segments(dialect) for section in sections])
    async with aclosing(_compressed(chain(parts, [Segment.of(own)]))) as segments:
        async for segment in segments:
            trailer.add(segment)
            yield segment.deflated
    yield bytes(trailer)


async def _compressed(parts: Iterator[Segment | Uncompressed]) -> AsyncGenerator[Segment, None]:
    """In order; what was not compressed yet is, some at a time, by another thread."""
    while some := list(islice(parts, _BATCH)):
        missing = [part for part in some if isinstance(part, Uncompressed)]
        made = await asyncio.to_thread(_made, missing) if missing else []
        for uncompressed, segment in zip(missing, made, strict=True):
            uncompressed.keep(segment)
        fresh = iter(made)
        for part in some:
            yield part if isinstance(part, Segment) else next(fresh)


def _made(missing: Iterable[Uncompressed]) -> list[Segment]:
    return [part.made() for part in missing]
