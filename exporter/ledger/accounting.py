"""Decides what a transaction of the ledger writes: which readings count, and what each adds to which series."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from exporter.ledger.series import Amounts, Series, SeriesKey, add, difference, known_series, zero
from exporter.ledger.store import (
    NO_MARKS,
    JobRecord,
    LedgerUpdate,
    Snapshot,
    Target,
    TargetMarks,
    Totals,
    Transaction,
)
from exporter.training.cost import RateOf
from exporter.training.facts import Facts
from exporter.training.job import Identity, TrainingJob

_DAY = 86400.0
# A job lives at most 30 days, and its warm pool less than one more.
_LONGEST_LIFE = 32 * _DAY
_LOST_AFTER_MS = round(60 * _DAY * 1000)


@dataclass(frozen=True, slots=True)
class Reading:
    """A reading of a job for the ledger. `over_since` is None while the job runs; a `settled` job will not change
    any more."""

    identity: Identity
    facts: Facts
    over_since: float | None
    settled: bool

    @classmethod
    def of(cls, job: TrainingJob, settled: bool) -> Reading:
        return cls(job.identity, Facts.of(job, final=settled), job.over_since, settled)

    @classmethod
    def last(cls, identity: Identity) -> Reading:
        """Nothing new, and nothing to come: the job is gone."""
        return cls(identity, Facts.last(identity.created_ms / 1000), None, settled=True)

    def merged(self, other: Reading) -> Reading:
        over = max((t for t in (self.over_since, other.over_since) if t is not None), default=None)
        return Reading(self.identity, self.facts.merged(other.facts), over, self.settled or other.settled)


@dataclass(frozen=True, slots=True)
class Batch:
    """What is to be written at once: readings, targets whose known series are to be there, and up to which creation
    time all jobs of a target are known."""

    readings: Mapping[Identity, Reading]
    begun: frozenset[Target]
    discovered: Mapping[Target, float]

    def __bool__(self) -> bool:
        return bool(self.readings or self.begun or self.discovered)


def apply_batch(
    batch: Batch,
    recorded: Mapping[Identity, JobRecord],
    committed: Snapshot,
    baseline: float,
    now: float,
    rate_of: RateOf | None = None,
) -> LedgerUpdate:
    """Account for a batch, given what is `recorded` of its jobs. Jobs that ended before the `baseline` do not count;
    series that are new begin `now`. Without `rate_of` nothing is priced."""
    marks = {
        target: committed.marks.get(target, NO_MARKS)._replace(discovered_until=until)
        for target, until in batch.discovered.items()
    }
    known = {record.identity: record for record in recorded.values()}
    books = _Books({target: dict.fromkeys(known_series(())) for target in batch.begun}, [], rate_of)
    for identity, reading in _by_job(batch.readings, recorded).items():
        record = known.get(identity)
        if record or (not reading.facts.empty and _counts(reading, committed.marks, baseline)):
            books.enter(reading, record)
    return LedgerUpdate(books.records, books.totals(committed, now), marks)


def price_again(records: Iterable[JobRecord], committed: Snapshot, now: float, rate_of: RateOf) -> LedgerUpdate:
    """Price jobs that had no price so far; nothing else of them changes."""
    books = _Books({}, [], rate_of)
    for record in records:
        books.price(record)
    return LedgerUpdate(books.records, books.totals(committed, now))


def _by_job(readings: Mapping[Identity, Reading], recorded: Mapping[Identity, JobRecord]) -> dict[Identity, Reading]:
    """One reading for each job: by the identity that is recorded of it, or by the first that the batch has."""
    found: dict[Identity, Reading] = {}
    named: dict[tuple[str, str, str], list[Identity]] = {}
    for identity, reading in readings.items():
        namesakes = named.setdefault((identity.account, identity.region, identity.name), [])
        if identity in recorded:
            own = recorded[identity].identity
        else:
            own = next((other for other in namesakes if other.is_same(identity)), identity)
        namesakes.append(own)
        owned = reading if own == identity else replace(reading, identity=own)
        found[own] = found[own].merged(owned) if own in found else owned
    return found


def forget(
    transaction: Transaction,
    committed: Snapshot,
    target: Target,
    lookback: float,
    now: float,
    tracked: Iterable[Identity],
) -> LedgerUpdate:
    """Delete what no listing of this target can bring back, but nothing from the time of a job that is `tracked` and
    not settled: what is not recorded of it yet would never count. Return how far jobs are forgotten then, so that none
    of them is ever taken for a new one."""
    before = round((now - max(lookback, _LONGEST_LIFE)) * 1000)
    old = [identity for identity in tracked if identity.created_ms < before]
    recorded = transaction.records(old)
    awaited = [i.created_ms for i in old if i not in recorded or not recorded[i].settled]
    latest = transaction.delete_records(target, min((before, *awaited)), min((before - _LOST_AFTER_MS, *awaited)))
    marks = committed.marks.get(target, NO_MARKS)
    if latest is None or latest <= marks.forgotten_ms:
        return LedgerUpdate()
    return LedgerUpdate(marks={target: marks._replace(forgotten_ms=latest)})


def is_closed(job: TrainingJob, known: JobRecord | None, marks: TargetMarks, baseline: float) -> bool:
    """Whether a job need not be read for the totals: settled and unchanged since, ended before everything that
    counts, or forgotten."""
    if known is None:
        over = job.over_since
        return over is not None and (over < baseline or _forgotten(job.identity, marks))
    return known.settled and (job.modified or 0.0) <= known.facts.modified


def _counts(reading: Reading, marks: Mapping[Target, TargetMarks], baseline: float) -> bool:
    """Whether a job that was never accounted for is to be."""
    target = (reading.identity.account, reading.identity.region)
    if _forgotten(reading.identity, marks.get(target, NO_MARKS)):
        return False
    return reading.over_since is None or reading.over_since >= baseline


def _forgotten(identity: Identity, marks: TargetMarks) -> bool:
    return identity.created_ms <= marks.forgotten_ms


@dataclass(frozen=True, slots=True)
class _Books:
    """An update in the making: what is to be added to each series, and what is recorded of each job then."""

    deltas: dict[Target, dict[SeriesKey, Amounts | None]]
    records: list[JobRecord]
    rate_of: RateOf | None

    def enter(self, reading: Reading, known: JobRecord | None) -> None:
        """Enter a reading of a job, given what is known of it."""
        merged = known.facts.merged(reading.facts) if known else reading.facts
        self._replace(known, JobRecord(reading.identity, self._priced(reading.identity, merged), reading.settled))

    def price(self, known: JobRecord) -> None:
        """Enter a job again with the prices of now."""
        self._replace(known, known._replace(facts=self._priced(known.identity, known.facts)))

    def totals(self, committed: Snapshot, now: float) -> dict[Target, Totals]:
        """Return the series that change or are new."""
        return {target: _sum(committed.totals.get(target, {}), deltas, now) for target, deltas in self.deltas.items()}

    def _priced(self, identity: Identity, facts: Facts) -> Facts:
        return facts.priced(partial(self.rate_of, identity.account, identity.region)) if self.rate_of else facts

    def _replace(self, known: JobRecord | None, record: JobRecord) -> None:
        old, new = known.facts if known else None, record.facts
        if known == record:
            return
        deltas = self.deltas.setdefault((record.identity.account, record.identity.region), {})
        if old is None and new.cost_tags:
            for key in known_series(new.cost_tags):
                deltas.setdefault(key, None)
        for key, delta in difference(new, old).items():
            earlier = deltas.get(key)
            deltas[key] = add(earlier, delta) if earlier else delta
        self.records.append(record)


def _sum(there: Totals, deltas: Mapping[SeriesKey, Amounts | None], now: float) -> dict[SeriesKey, Series]:
    """Add to the series that are there, and start those that are not."""
    changed = {}
    for key, delta in deltas.items():
        if key not in there:
            changed[key] = Series(zero(key), zero(key), now).plus(delta or zero(key))
        elif delta and any(delta):
            changed[key] = there[key].plus(delta)
    return changed
