"""Cache the text of metrics: it is rendered when a thing changes, and joined when a scrape asks for it.

A Section holds the text of many things of one kind (all jobs, all targets), separated by family, because the samples of
a family must be adjacent in an exposition. Things are grouped into blocks, and compressed text is cached per block and
family: a change invalidates one block of the families that it affects.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from exporter.exposition.family import Family, Sample
from exporter.exposition.gzip import Segment
from exporter.exposition.text import DIALECTS, Dialect, labels_text

T = TypeVar("T")
Texts = tuple[bytes, ...]
Samples = Callable[[Family[Any], T], Iterable[Sample]]
# Things per block. Larger blocks compress better, smaller ones cost less to compress again after a change.
_BLOCK = 256


@dataclass(slots=True)
class _Block:
    """Some of the things of a section: their texts, and the compressed segments by family.

    `changes` counts the changes by family, so that a segment is not cached if the text changed while it was compressed.
    """

    texts: dict[Hashable, Texts] = field(default_factory=dict)
    changes: Counter[int] = field(default_factory=Counter)
    segments: dict[int, Segment] = field(default_factory=dict)

    def changed(self, before: Texts, after: Texts) -> None:
        """Drop the segments of the families whose text changed."""
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            if old != new:
                self.changes[index] += 1
                self.segments.pop(index, None)


@dataclass(frozen=True, slots=True)
class _Shot:
    """A snapshot of a block. A scrape takes a while, and must not mix two states of the same thing."""

    block: _Block
    texts: Sequence[Texts]
    changes: Mapping[int, int]
    segments: Mapping[int, Segment]

    @classmethod
    def of(cls, block: _Block) -> _Shot:
        return cls(block, list(block.texts.values()), block.changes.copy(), block.segments.copy())

    def text(self, index: int) -> bytes:
        """Return the text of the family at `index`."""
        return b"".join([texts[index] for texts in self.texts])


@dataclass(frozen=True, slots=True)
class Uncompressed:
    """The text of a family in a block that is not compressed yet."""

    shot: _Shot
    index: int

    def made(self) -> Segment:
        """Return the compressed text. Thread-safe, because it reads only the snapshot."""
        return Segment.of(self.shot.text(self.index))

    def keep(self, segment: Segment) -> None:
        """Cache the segment for the next scrape, unless the text has changed meanwhile."""
        block, index = self.shot.block, self.index
        if block.changes[index] == self.shot.changes.get(index, 0):
            block.segments[index] = segment


class Section(Generic[T]):
    """The text of things of type T, with samples written in one dialect.

    `samples` returns the samples of a family for one thing. The values of the labels in `Family.base` come with the
    thing.
    """

    def __init__(self, families: Iterable[Family[Any]], samples: Samples[T], dialect: Dialect) -> None:
        self.families = tuple(families)
        self._headers = {each: tuple(map(each.header, self.families)) for each in DIALECTS}
        self._zipped_headers = {each: tuple(map(Segment.of, texts)) for each, texts in self._headers.items()}
        self._samples, self._dialect = samples, dialect
        self._empty: Texts = (b"",) * len(self.families)
        self._blocks: list[_Block] = []
        self._block_of: dict[Hashable, _Block] = {}
        self._lines: Counter[int] = Counter()

    def __len__(self) -> int:
        return len(self._block_of)

    def put(self, key: Hashable, base: Sequence[str], thing: T) -> None:
        """Render a thing that is new or has changed."""
        block = self._block_of.get(key) or self._room(key)
        before = block.texts.get(key, self._empty)
        after = self._render(base, thing)
        block.changed(before, after)
        block.texts[key] = after
        self._count(before, after)

    def remove(self, key: Hashable) -> None:
        """Remove a thing. An unknown key is ignored."""
        if (block := self._block_of.pop(key, None)) is not None:
            before = block.texts.pop(key)
            block.changed(before, self._empty)
            self._count(before, self._empty)

    def series(self) -> Iterator[tuple[str, int]]:
        """Yield the name and the number of samples of each family."""
        for index, family in enumerate(self.families):
            yield family.name, self._lines[index]

    def text(self, dialect: Dialect) -> Iterator[bytes]:
        """Return the text by family, as of the call, in pieces of at most some hundred things. `dialect` selects only
        the headers."""
        return self._text(self._headers[dialect], [_Shot.of(block) for block in self._blocks])

    def _text(self, headers: Sequence[bytes], shots: list[_Shot]) -> Iterator[bytes]:
        for index, header in enumerate(headers):
            yield header
            for shot in shots:
                yield shot.text(index)

    def segments(self, dialect: Dialect) -> Iterator[Segment | Uncompressed]:
        """Return the same pieces for gzip, either compressed or still to be compressed."""
        return self._segments(self._zipped_headers[dialect], [_Shot.of(block) for block in self._blocks])

    def _segments(self, headers: Sequence[Segment], shots: list[_Shot]) -> Iterator[Segment | Uncompressed]:
        for index, header in enumerate(headers):
            yield header
            for shot in shots:
                yield shot.segments.get(index) or Uncompressed(shot, index)

    def _room(self, key: Hashable) -> _Block:
        block = next((b for b in reversed(self._blocks) if len(b.texts) < _BLOCK), None)
        if block is None:
            block = _Block()
            self._blocks.append(block)
        self._block_of[key] = block
        return block

    def _render(self, base: Sequence[str], thing: T) -> Texts:
        # Nearly all families of a section share one base: its text is rendered once per thing.
        bases: dict[tuple[str, ...], str] = {}
        texts = []
        for family in self.families:
            start = bases.get(family.base)
            if start is None:
                start = bases[family.base] = labels_text(family.base, tuple(base))
            texts.append(self._dialect.lines(family, start, self._samples(family, thing)))
        return tuple(texts)

    def _count(self, before: Texts, after: Texts) -> None:
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            if old is not new and old != new:
                self._lines[index] += new.count(b"\n") - old.count(b"\n")
