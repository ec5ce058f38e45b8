"""What `/metrics` shows: the sections of the exposition, kept up to date by the pollers, joined for a scrape."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping
from contextlib import aclosing
from itertools import chain, islice
from typing import Any

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics_exposition

from exporter.catalogue import FLEET_FAMILIES, JOB_FAMILIES, PROCESS_FAMILIES, TARGET_FAMILIES, TOTAL_FAMILIES
from exporter.exposition.family import Family, LabelValues, Total, Value
from exporter.exposition.gzip import HEADER, Segment, Trailer
from exporter.exposition.labels import ConfiguredKeys, KeyNames
from exporter.exposition.section import Section, Uncompressed
from exporter.exposition.sums import Sums, Totals, sums, tag_keys
from exporter.exposition.text import OPENMETRICS, TEXT, Dialect
from exporter.ledger.ledger import Ledger
from exporter.ledger.sqlite import Target
from exporter.polling.health import Health
from exporter.selfmetrics import ProcessHealth, TargetHealth
from exporter.training.active import FleetCounts
from exporter.training.job import Pairs, TrainingJob

# What a scrape sends at a time, so that neither the loop nor the client waits long for a piece.
_CHUNK = 1 << 19
# What another thread compresses at a time: a megabyte, about.
_BATCH = 32
_SERIES = "sagemaker_exporter_series"
_NO_KEYS = ConfiguredKeys()


class Board:
    """`shows` says whether a family is shown, `selects` whether a job has series of its own, `process` gives how the
    exporter itself fares, `keys` are those that become labels."""

    def __init__(
        self,
        ledger: Ledger,
        shows: Callable[[str], bool],
        selects: Callable[[str], bool],
        process: Callable[[Mapping[str, int]], ProcessHealth],
        started: float,
        keys: ConfiguredKeys = _NO_KEYS,
    ) -> None:
        self._ledger, self._selects, self._process, self._started = ledger, selects, process, started
        self._job_keys = {"tag_KEY": KeyNames.of(keys.tags), "hyperparameter_KEY": KeyNames.of(keys.hyperparameters)}
        recorded = (tag_keys(ledger.totals(target)) for target in ledger.targets())
        self._total_keys = KeyNames.of(keys.by_tags).extended(chain.from_iterable(recorded))
        self._jobs = Section[TrainingJob](_shown(JOB_FAMILIES, shows), self._job_rows, TEXT)
        self._fleet = Section[FleetCounts](_shown(FLEET_FAMILIES, shows), _rows, TEXT)
        self._totals = {d: Section[Sums](_shown(TOTAL_FAMILIES, shows), _totals, d) for d in (TEXT, OPENMETRICS)}
        self._targets = {
            d: Section[TargetHealth](_shown(TARGET_FAMILIES, shows), self._counted, d) for d in (TEXT, OPENMETRICS)
        }
        self._processes = {
            d: Section[ProcessHealth](_shown(PROCESS_FAMILIES, shows), self._counted, d) for d in (TEXT, OPENMETRICS)
        }
        self._shown_totals: dict[Target, Totals] = {}
        # A job is put here at each change; its name is matched once.
        self._selected: dict[tuple[str, str, str], bool] = {}
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)

    def job(self, job: TrainingJob) -> None:
        """A job is new or has changed."""
        key = (job.account, job.region, job.name)
        if key not in self._selected:
            self._selected[key] = self._selects(job.name)
        if job.status and self._selected[key]:
            self._jobs.put(key, key, job)

    def gone(self, target: Target, name: str) -> None:
        """A job has no series any more."""
        self._jobs.remove((*target, name))
        self._selected.pop((*target, name), None)

    def target(self, target: Target, counts: FleetCounts, health: Health, jobs: int) -> None:
        """How a target is now."""
        self._fleet.put(target, target, counts)
        self.health(target, health, jobs)
        totals = self._ledger.totals(target)
        if totals and self._shown_totals.get(target) is not totals:
            self._shown_totals[target] = totals
            self._total_keys = self._total_keys.extended(tag_keys(totals))
            shown = sums(totals, self._total_keys)
            for section in self._totals.values():
                section.put(target, target, shown)

    def health(self, target: Target, health: Health, jobs: int) -> None:
        """How the exporter fares with a target, even one that it cannot reach."""
        snapshot = health.snapshot(jobs)
        for section in self._targets.values():
            section.put(target, target, snapshot)

    def forget(self, target: Target) -> None:
        """A target is not polled under this name any more."""
        sections: tuple[Section[Any], ...] = (self._fleet, *self._totals.values(), *self._targets.values())
        for section in sections:
            section.remove(target)
        self._shown_totals.pop(target, None)

    async def metrics(self, openmetrics: bool, gzip: bool) -> AsyncGenerator[bytes, None]:
        """The exposition, in pieces; between two of them others get their turn."""
        dialect = OPENMETRICS if openmetrics else TEXT
        sections = self._sections(dialect)
        own = self._own_metrics(openmetrics) + dialect.end
        waiting: list[bytes] = []
        size = 0
        async with aclosing(_zipped(sections, own) if gzip else _plain(sections, own)) as pieces:
            async for piece in pieces:
                waiting.append(piece)
                size += len(piece)
                if size >= _CHUNK:
                    yield b"".join(waiting)
                    await asyncio.sleep(0)
                    waiting.clear()
                    size = 0
        yield b"".join(waiting)

    def _sections(self, dialect: Dialect) -> tuple[Section[Any], ...]:
        self._processes[dialect].put("process", (), self._process(self._series()))
        return (self._jobs, self._fleet, self._totals[dialect], self._targets[dialect], self._processes[dialect])

    def _series(self) -> dict[str, int]:
        """How many of each family. OpenMetrics also says when each total began: its `_created` are not counted."""
        sections = (self._jobs, self._fleet, self._totals[TEXT], self._targets[TEXT])
        found = dict(pair for section in sections for pair in section.series())
        found |= {family.name: 1 for family in self._processes[TEXT].families}
        if _SERIES in found:
            found[_SERIES] = len(found)
        return found

    def _own_metrics(self, openmetrics: bool) -> bytes:
        encode = openmetrics_exposition.generate_latest if openmetrics else generate_latest
        text: bytes = encode(self._registry)
        return text.removesuffix(b"# EOF\n")

    def _job_rows(self, family: Family[Any], job: TrainingJob) -> Iterable[tuple[LabelValues, Value]]:
        """The labels of tags and hyperparameters have the names that the configuration gives them."""
        rows = family.rows(job)
        keys = self._job_keys.get(family.labels[-1]) if family.labels else None
        if keys is None:
            return rows
        return [(tuple(_named(label, keys) for label in labels), value) for labels, value in rows]

    def _counted(self, family: Family[Any], thing: TargetHealth | ProcessHealth) -> Iterable[tuple[LabelValues, Value]]:
        """The exporter's own counters begin with the process, or when a reload brought the target."""
        if family.kind == "gauge":
            return family.rows(thing)
        since = thing.since if isinstance(thing, TargetHealth) else None
        return [
            (labels, Total(value, self._started if since is None else since)) for labels, value in family.rows(thing)
        ]


async def _plain(sections: Iterable[Section[Any]], own: bytes) -> AsyncGenerator[bytes, None]:
    for piece in chain.from_iterable([section.text() for section in sections]):
        yield piece
    yield own


async def _zipped(sections: Iterable[Section[Any]], own: bytes) -> AsyncGenerator[bytes, None]:
    trailer = Trailer()
    yield HEADER
    parts = chain.from_iterable([section.segments() for section in sections])
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


def _shown(families: Iterable[Family[Any]], shows: Callable[[str], bool]) -> list[Family[Any]]:
    return [family for family in families if shows(family.name)]


def _rows(family: Family[Any], thing: Any) -> Iterable[tuple[LabelValues, Value]]:
    return family.rows(thing)


def _named(label: str | Pairs, keys: KeyNames) -> str | Pairs:
    return label if isinstance(label, str) else keys.renamed(label)


def _totals(family: Family[Any], shown: Sums) -> Iterable[tuple[LabelValues, Value]]:
    return shown.get(family.name, ())
