"""Decide what a transaction of the ledger writes: which readings count, and what each adds to which series."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
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
# A job runs for at most 30 days, and its warm pool for less than one more.
_LONGEST_LIFE = 32 * _DAY
# Jobs that never settle, or never get a price, are kept this much longer; then their records are deleted too.
_LOST_AFTER_MS = round(60 * _DAY * 1000)


@dataclass(frozen=True, slots=True)
class Reading:
    """What one response of AWS says about a job, in the form the ledger counts.

    `over_since` is when the job ended at the latest (Unix seconds), None while it runs. A `settled` job is not expected
    to change any more.
    """

    identity: Identity
    facts: Facts
    over_since: float | None
    settled: bool

    @classmethod
    def of(cls, job: TrainingJob, settled: bool) -> Reading:
        """Return the reading of a job that AWS described."""
        return cls(job.identity, Facts.of(job, final=settled), job.over_since, settled)

    @classmethod
    def last(cls, identity: Identity) -> Reading:
        """Return the reading of a job that no longer exists: it adds nothing and settles the job."""
        return cls(identity, Facts.last(identity.created_ms / 1000), None, settled=True)

    def merged(self, other: Reading) -> Reading:
        """Return both readings of the same job as one."""
        over = max((t for t in (self.over_since, other.over_since) if t is not None), default=None)
        return Reading(self.identity, self.facts.merged(other.facts), over, self.settled or other.settled)


@dataclass(frozen=True, slots=True)
class Batch:
    """The input of one transaction.

    `begun` are the targets whose preset series must exist. `discovered` is the creation time (Unix seconds) up to which
    all jobs of a target are known. `repriced` are the targets whose unpriced jobs are to be priced; each value is an
    object that identifies the request.
    """

    readings: Mapping[Identity, Reading]
    begun: frozenset[Target]
    discovered: Mapping[Target, float]
    repriced: Mapping[Target, object] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.readings or self.begun or self.discovered or self.repriced)


def apply_batch(
    batch: Batch,
    recorded: Mapping[Identity, JobRecord],
    unpriced: Iterable[Identity],
    committed: Snapshot,
    baseline: float,
    now: float,
    rate_of: RateOf | None = None,
) -> LedgerUpdate:
    """Return what a batch changes, given the `recorded` jobs among its readings and among the `unpriced` jobs of its
    targets.

    Jobs that ended before the `baseline` are not counted. New series get `now` as their creation time. Without
    `rate_of` nothing is priced. All times are Unix seconds.
    """
    marks = {
        target: committed.marks.get(target, NO_MARKS)._replace(discovered_until=until)
        for target, until in batch.discovered.items()
    }
    known = {record.identity: record for record in recorded.values()}
    books = _Books({target: dict.fromkeys(known_series(())) for target in batch.begun}, [], rate_of)
    readings = _by_job(batch.readings, recorded)
    for identity, reading in readings.items():
        record = known.get(identity)
        if record or (not reading.facts.empty and _counts(reading, committed.marks, baseline)):
            books.enter(reading, record)
    for identity in unpriced:
        # A reading prices its job too.
        if identity not in readings:
            books.price(known[identity])
    return LedgerUpdate(books.records, books.totals(committed, now), marks)


def _by_job(readings: Mapping[Identity, Reading], recorded: Mapping[Identity, JobRecord]) -> dict[Identity, Reading]:
    """Merge the readings of the same job, whose creation times may differ by some milliseconds.

    The result is keyed by the recorded identity of a job, or by the first identity in the batch if none is recorded.
    """
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
    """Delete the records of jobs that are too old for any listing of this target, and return the new mark.

    Nothing is deleted from the oldest unsettled `tracked` job on: a job that is not recorded yet and older than the
    mark would never be counted. The mark says up to which creation time jobs are forgotten, so that a forgotten job
    that turns up again is not taken for a new one.
    """
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
    """Return whether the totals need no further reading of a job: it is settled and unchanged, ended before the
    baseline, or is forgotten."""
    if known is None:
        over = job.over_since
        return over is not None and (over < baseline or _forgotten(job.identity, marks))
    return known.settled and (job.modified or 0.0) <= known.facts.modified


def _counts(reading: Reading, marks: Mapping[Target, TargetMarks], baseline: float) -> bool:
    """Return whether to count a job that has not been counted yet."""
    target = (reading.identity.account, reading.identity.region)
    if _forgotten(reading.identity, marks.get(target, NO_MARKS)):
        return False
    return reading.over_since is None or reading.over_since >= baseline


def _forgotten(identity: Identity, marks: TargetMarks) -> bool:
    return identity.created_ms <= marks.forgotten_ms


@dataclass(frozen=True, slots=True)
class _Books:
    """Collect an update: what is added to each series, and the new record of each job."""

    deltas: dict[Target, dict[SeriesKey, Amounts | None]]
    records: list[JobRecord]
    rate_of: RateOf | None

    def enter(self, reading: Reading, known: JobRecord | None) -> None:
        """Add a reading of a job, given its record."""
        merged = known.facts.merged(reading.facts) if known else reading.facts
        self._replace(known, JobRecord(reading.identity, self._priced(reading.identity, merged), reading.settled))

    def price(self, known: JobRecord) -> None:
        """Add a recorded job again, with current prices for what had none."""
        self._replace(known, known._replace(facts=self._priced(known.identity, known.facts)))

    def totals(self, committed: Snapshot, now: float) -> dict[Target, Totals]:
        """Return the series that are new or change."""
        return {target: _sum(committed.totals.get(target, {}), deltas, now) for target, deltas in self.deltas.items()}

    def _priced(self, identity: Identity, facts: Facts) -> Facts:
        return facts.priced(partial(self.rate_of, identity.account, identity.region)) if self.rate_of else facts

    def _replace(self, known: JobRecord | None, record: JobRecord) -> None:
        old, new = known.facts if known else None, record.facts
        # Most readings change nothing: then neither the record nor a series is written.
        if known == record:
            return
        deltas = self.deltas.setdefault((record.identity.account, record.identity.region), {})
        # A set of cost tags that is new gets its preset series with 0, like a new target.
        if old is None and new.cost_tags:
            for key in known_series(new.cost_tags):
                deltas.setdefault(key, None)
        for key, delta in difference(new, old).items():
            earlier = deltas.get(key)
            deltas[key] = add(earlier, delta) if earlier else delta
        self.records.append(record)


def _sum(there: Totals, deltas: Mapping[SeriesKey, Amounts | None], now: float) -> dict[SeriesKey, Series]:
    """Return the changed series: existing ones plus their delta, and new ones that start at 0."""
    changed = {}
    for key, delta in deltas.items():
        if key not in there:
            changed[key] = Series(zero(key), zero(key), now).plus(delta or zero(key))
        elif delta and any(delta):
            changed[key] = there[key].plus(delta)
    return changed
