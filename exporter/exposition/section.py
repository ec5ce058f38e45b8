"""The text of metrics: rendered when a thing changes, joined when somebody asks.

A Section holds the text of many things of one kind (all jobs, all targets), cut by family, since an exposition wants
all samples of a family together. Things are kept in blocks, and so is what gzip makes of them: a change costs the
compression of one block of the families that it touched.
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
_BLOCK = 256


@dataclass(slots=True)
class _Block:
    """Some of the things of a section. `changes` counts by family, so that a compression that took a while is not
    kept for text that changed meanwhile."""

    texts: dict[Hashable, Texts] = field(default_factory=dict)
    changes: Counter[int] = field(default_factory=Counter)
    segments: dict[int, Segment] = field(default_factory=dict)

    def changed(self, before: Texts, after: Texts) -> None:
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            if old != new:
                self.changes[index] += 1
                self.segments.pop(index, None)


@dataclass(frozen=True, slots=True)
class _Shot:
    """A block as it is at one moment: a scrape takes a while, and shows one state."""

    block: _Block
    texts: Sequence[Texts]
    changes: Mapping[int, int]
    segments: Mapping[int, Segment]

    @classmethod
    def of(cls, block: _Block) -> _Shot:
        return cls(block, list(block.texts.values()), block.changes.copy(), block.segments.copy())

    def text(self, index: int) -> bytes:
        return b"".join([texts[index] for texts in self.texts])


@dataclass(frozen=True, slots=True)
class Uncompressed:
    """The text of a family in a block, which gzip has not seen yet."""

    shot: _Shot
    index: int

    def made(self) -> Segment:
        """Compressed; in any thread."""
        return Segment.of(self.shot.text(self.index))

    def keep(self, segment: Segment) -> None:
        """For the next scrape, unless the text has changed meanwhile."""
        block, index = self.shot.block, self.index
        if block.changes[index] == self.shot.changes.get(index, 0):
            block.segments[index] = segment


class Section(Generic[T]):
    """The text of things of type T, whose samples are written in one dialect. `samples` gives the samples of a family
    for one thing; the labels of the family's base are given with the thing."""

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
        """Render a thing, new or changed."""
        block = self._block_of.get(key) or self._room(key)
        before = block.texts.get(key, self._empty)
        after = self._render(base, thing)
        block.changed(before, after)
        block.texts[key] = after
        self._count(before, after)

    def remove(self, key: Hashable) -> None:
        """Forget a thing; one that is not there is no error."""
        if (block := self._block_of.pop(key, None)) is not None:
            before = block.texts.pop(key)
            block.changed(before, self._empty)
            self._count(before, self._empty)

    def series(self) -> Iterator[tuple[str, int]]:
        """How many samples there are of each family."""
        for index, family in enumerate(self.families):
            yield family.name, self._lines[index]

    def text(self, dialect: Dialect) -> Iterator[bytes]:
        """All of it, a family at a time, as it is at the call; no piece is of more than some hundred things. Only the
        headers are of this dialect."""
        return self._text(self._headers[dialect], [_Shot.of(block) for block in self._blocks])

    def _text(self, headers: Sequence[bytes], shots: list[_Shot]) -> Iterator[bytes]:
        for index, header in enumerate(headers):
            yield header
            for shot in shots:
                yield shot.text(index)

    def segments(self, dialect: Dialect) -> Iterator[Segment | Uncompressed]:
        """The same for gzip, piece by piece: compressed already, or to be compressed."""
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
