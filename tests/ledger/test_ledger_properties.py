"""Test that totals are plain sums for readings in any order, with repetition, loss, restarts and a failing disk."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.ledger.accounting import Reading
from exporter.ledger.ledger import Ledger
from exporter.ledger.series import Amounts, SeriesKey
from exporter.training.facts import Facts
from exporter.training.job import Instances, TrainingJob, Transition, WarmPool
from exporter.training.totals import DURATION_BUCKETS
from tests.ledger.books import START, TARGET, Disk, job, ledger, true

# Coverage would slow these down by half, and the same lines have tests of their own.
pytestmark = [pytest.mark.slow, pytest.mark.no_cover]

Fault = Literal["restart", "break", "repair"]
Step = Reading | Fault
_SECONDS = st.integers(0, 10_000_000).map(lambda ms: ms / 1000)
_CAUSES = {"Stopped": "user", "MaxRuntimeExceeded": "max_runtime", "OutOfPatience": "other", None: "other"}
_PHASES = st.sampled_from(["Starting", "Downloading", "Training", "Interrupted", "Uploading", "Brewing"])


@dataclass(frozen=True, slots=True)
class History:
    """Hold the last readings of some jobs and the readings before them.

    Jobs that are `alone` had a reading whose bill was not waited for.
    """

    final: list[TrainingJob]
    steps: list[Step]
    alone: frozenset[str]


@st.composite
def _finals(draw: st.DrawFn, name: str) -> TrainingJob:
    groups = draw(st.lists(st.tuples(st.sampled_from(["ml.a", "ml.b"]), st.integers(1, 4)), max_size=3))
    phases = draw(st.lists(st.tuples(_PHASES, _SECONDS), max_size=5))
    ends = list(accumulate((seconds for _, seconds in phases), initial=START + 20))
    walk = (Transition(phase, *span) for (phase, _), span in zip(phases, pairwise(ends), strict=True))
    at = ends[-1]
    status = draw(st.sampled_from(["Completed", "Failed", "Stopped"]))
    retained = draw(st.none() | _SECONDS)
    reused = retained is not None and draw(st.booleans())
    return job(
        name,
        START + 10,
        status=status,
        secondary_status=draw(st.sampled_from(list(_CAUSES))) if status == "Stopped" else status,
        failure_category=draw(st.sampled_from(["ClientError", "Other"])) if status == "Failed" else None,
        started=draw(st.none() | _SECONDS.map(lambda seconds: START + 10 + seconds)),
        ended=at,
        modified=at + 1000,
        training_seconds=draw(st.none() | _SECONDS),
        billable_seconds=draw(st.none() | _SECONDS),
        spot=draw(st.booleans()),
        instances=tuple(Instances(kind, str(n), count) for n, (kind, count) in enumerate(groups)),
        transitions=tuple(walk),
        warm_pool=None if retained is None else WarmPool("Reused" if reused else "Terminated", retained, None),
        keep_alive_seconds=None if retained is None else 60.0,
    )


@st.composite
def _earlier(draw: st.DrawFn, final: TrainingJob) -> TrainingJob:
    """Return what could have been read before: less, or values that AWS corrected since, up or down."""
    assert final.modified is not None
    before = draw(st.floats(START, final.modified - 1))

    def other(value: float | None) -> float | None:
        return None if value is None else draw(st.none() | _SECONDS)

    pool = final.warm_pool
    if pool is not None:
        pool = draw(st.none() | st.just(WarmPool("Available", other(pool.retained_seconds), None)))
    return replace(
        final,
        status=draw(st.sampled_from(["InProgress", "Stopping", final.status])),
        # A restart may give a job another start; the first one is what it waited for.
        started=draw(st.sampled_from([None, final.started, final.started and final.started + 60])),
        ended=draw(st.sampled_from([None, final.ended])),
        modified=before,
        training_seconds=other(final.training_seconds),
        billable_seconds=other(final.billable_seconds),
        spot=draw(st.sampled_from([None, final.spot, not final.spot])),
        instances=draw(st.sampled_from([(), final.instances])),
        transitions=final.transitions[: draw(st.integers(0, len(final.transitions)))],
        warm_pool=pool,
    )


@st.composite
def _histories(draw: st.DrawFn, faults: bool) -> History:
    final = [draw(_finals(f"job-{n}")) for n in range(draw(st.integers(1, 3)))]
    seen: list[Step] = []
    alone = set()
    for one in final:
        for said in [one] * draw(st.integers(1, 2)) + draw(st.lists(_earlier(one), max_size=4)):
            settled = draw(st.booleans())
            seen.append(Reading.of(said, settled))
            serverless = said.training_seconds is not None and not said.instances
            if said.billable_seconds is None and (settled or serverless):
                alone.add(said.name)
    if faults:
        seen += draw(st.lists(st.sampled_from(["restart", "break", "repair"]), max_size=6))
    return History(final, draw(st.permutations(seen)), frozenset(alone))


def _sums(history: History) -> dict[SeriesKey, Amounts]:
    """Return the same totals, computed plainly from the last readings, without those that are 0."""
    counts: Counter[tuple[str, tuple[str, ...]]] = Counter()
    observed: defaultdict[tuple[str, tuple[str, ...]], list[float]] = defaultdict(list)
    for one in history.final:
        entered = one.billable_seconds is not None or one.name in history.alone
        _count(one if entered else replace(one, training_seconds=None), counts)
        assert one.ended is not None
        observed["job_duration", (str(one.status),)].append(one.ended - (START + 10))
        for phase in one.transitions:
            assert phase.start is not None
            assert phase.end is not None
            observed["phase_duration", (phase.status,)].append(phase.end - phase.start)
        if one.started is not None and one.instances:
            types = ",".join(sorted({item.type for item in one.instances}))
            observed["queue_duration", (types, "true" if one.spot else "false")].append(one.started - (START + 10))
    found: dict[SeriesKey, Amounts] = {
        SeriesKey(f"sagemaker_training_{name}_total", labels, ()): (ms,) for (name, labels), ms in counts.items() if ms
    }
    for (name, labels), seconds in observed.items():
        found[SeriesKey(f"sagemaker_training_{name}_seconds", labels, ())] = _buckets(seconds)
    return found


def _count(one: TrainingJob, counts: Counter[tuple[str, tuple[str, ...]]]) -> None:
    spot, pool = "true" if one.spot else "false", one.warm_pool
    training, billable = _ms(one.training_seconds), _ms(one.billable_seconds)
    retained = _ms(pool.retained_seconds) if pool else 0
    counts["jobs_created", ()] += 1000
    counts["jobs_finished", (str(one.status),)] += 1000
    if one.status == "Failed":
        counts["jobs_failed", (str(one.failure_category),)] += 1000
    if one.status == "Stopped":
        counts["jobs_stopped", (_CAUSES[one.secondary_status],)] += 1000
    counts["seconds", (spot,)] += training
    counts["billable_seconds", (spot,)] += billable
    counts["spot_interruptions", ()] += 1000 * sum(t.status == "Interrupted" for t in one.transitions)
    counts["warm_pool_reuses", ()] += 1000 * (pool is not None and pool.status == "Reused")
    counts["warm_pool_retained_billable_seconds", ()] += retained
    for item in one.instances:
        counts["instance_seconds", (item.type, spot)] += training * item.number
        counts["billable_instance_seconds", (item.type, spot)] += billable * item.number
        counts["warm_pool_retained_billable_instance_seconds", (item.type,)] += retained * item.number


def _buckets(seconds: Iterable[float]) -> Amounts:
    exact = [_ms(value) for value in seconds]
    below = (1000 * sum(ms <= bound * 1000 for ms in exact) for bound in DURATION_BUCKETS)
    return (*below, 1000 * len(exact), sum(exact))


def _ms(seconds: float | None) -> int:
    return round((seconds or 0.0) * 1000)


def _never_lower(before: Mapping[SeriesKey, Amounts], books: Ledger) -> dict[SeriesKey, Amounts]:
    now = {key: series.shown for key, series in books.totals(TARGET).items()}
    for key, amounts in before.items():
        assert all(a <= b for a, b in zip(amounts, now[key], strict=True)), key
    for key, series in books.totals(TARGET).items():
        assert all(a <= b for a, b in zip(series.true, series.shown, strict=True)), key
    return now


@given(_histories(faults=False))
@settings(max_examples=150, deadline=None)
def test_totals_are_the_sums_of_the_last_readings(history: History) -> None:
    async def run() -> None:
        high: dict[SeriesKey, Amounts] = {}
        async with ledger() as books:
            for step in history.steps:
                assert isinstance(step, Reading)
                await books.apply([step])
                high = _never_lower(high, books)
            assert true(books) == _sums(history)

    asyncio.run(run())


@given(_histories(faults=False))
@settings(max_examples=50, deadline=None)
def test_one_batch_is_as_good_as_many(history: History) -> None:
    async def run() -> None:
        async with ledger() as books:
            await books.apply(step for step in history.steps if isinstance(step, Reading))
            assert true(books) == _sums(history)

    asyncio.run(run())


@given(_histories(faults=True))
@settings(max_examples=60, deadline=None)
def test_restarts_and_failing_disks_change_no_sum(history: History) -> None:
    async def run(path: Path) -> None:
        high: dict[SeriesKey, Amounts] = {}
        disk = Disk()
        books = await ledger(path, connect=disk.connect).__aenter__()
        for step in [*history.steps, "repair"]:
            if isinstance(step, Reading):
                await books.apply([step])
            elif step == "restart":
                disk.broken = False
                await books.__aexit__(None, None, None)
                books = await ledger(path, connect=disk.connect).__aenter__()
            else:
                disk.broken = step == "break"
            high = _never_lower(high, books)
        await books.apply(())
        _never_lower(high, books)
        assert true(books) == _sums(history)
        await books.__aexit__(None, None, None)

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(Path(folder) / "state.db"))


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_facts_merge_in_any_order_and_survive_the_file(data: st.DataObject) -> None:
    final = data.draw(_finals("job"))
    one, two = (Facts.of(data.draw(_earlier(final))) for _ in range(2))
    last = Facts.of(final)
    assert one.merged(one) == one
    assert one.merged(two).known == two.merged(one).known
    assert one.merged(two).merged(last).known == one.merged(two.merged(last)).known
    back = Facts.from_json(last.to_json())
    assert back.to_json() == last.to_json()
    assert one.merged(back).to_json() == one.merged(last).to_json()
