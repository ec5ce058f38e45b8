"""Assemble `/metrics`: pollers keep the sections of the exposition up to date, and a scrape joins them."""

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
# Bytes per write of a scrape: small enough that the event loop is not blocked for long, and that memory stays bounded.
_CHUNK = 1 << 19
# Pieces of text that a thread compresses at a time, about a megabyte.
_BATCH = 32


class Board:
    """Show groups of families in the given order.

    `shows` decides whether a family is shown. `refresh` is called before each scrape, and may `put` values that no
    poller updates, such as those of the process.
    """

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
        """Show or replace the samples of a thing, such as a job. `base` are the values of the labels that identify it,
        in the order of `Family.base`."""
        # Both dialects may have one section.
        for section in set(self._sections[group].values()):
            section.put(key, base, thing)

    def remove(self, group: Group[Any], key: Hashable) -> None:
        """Remove the samples of a thing. An unknown key is ignored."""
        for section in set(self._sections[group].values()):
            section.remove(key)

    def series(self) -> dict[str, int]:
        """Return the number of samples of each shown family in the text format. The `_created` samples that OpenMetrics
        adds are not counted."""
        return {name: n for sections in self._sections.values() for name, n in sections[TEXT].series()}

    async def metrics(self, openmetrics: bool, gzip: bool) -> AsyncGenerator[bytes, None]:
        """Yield the exposition in chunks. Other tasks of the event loop run between two chunks."""
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
        # Each exposition has one end marker, which `metrics` appends after the last family.
        return text.removesuffix(b"# EOF\n")


def _sections(group: Group[Any], families: Sequence[Family[Any]]) -> Mapping[Dialect, Section[Any]]:
    """Return a section for each dialect. Gauges and infos are written alike in both, so their text is rendered once."""
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
    """Yield all segments in order. Those that are not compressed yet are compressed in a thread, a batch at a time, so
    that the event loop is not blocked."""
    while some := list(islice(parts, _BATCH)):
        # Only this loop changes sections, so a segment is kept here and not in the thread that made it.
        missing = [part for part in some if isinstance(part, Uncompressed)]
        made = await asyncio.to_thread(_made, missing) if missing else []
        for uncompressed, segment in zip(missing, made, strict=True):
            uncompressed.keep(segment)
        fresh = iter(made)
        for part in some:
            yield part if isinstance(part, Segment) else next(fresh)


def _made(missing: Iterable[Uncompressed]) -> list[Segment]:
    return [part.made() for part in missing]
