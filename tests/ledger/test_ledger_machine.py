"""Drive a ledger and a plain model by Hypothesis: readings, restarts, failing disks, kills and pruning."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Coroutine, Iterable
from dataclasses import replace
from operator import le
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from exporter.ledger.accounting import Reading
from exporter.ledger.ledger import Ledger
from exporter.ledger.series import Amounts, SeriesKey
from exporter.training.job import Instances, TrainingJob, Transition, WarmPool
from tests.ledger.books import DAY, START, TARGET, Disk, Time, job, ledger

# Coverage would slow these down by half, and the same lines have tests of their own.
pytestmark = [pytest.mark.slow, pytest.mark.no_cover]

T = TypeVar("T")
_NAMES = st.sampled_from("abc")
_JOBS = {(name, START + 10 + generation) for name in "abc" for generation in (0, 1)}
_SECONDS = st.integers(0, 5000).map(float)
_OVER = START - 1000.0


class LedgerMachine(RuleBasedStateMachine):
    """Drive a ledger and a plain model.

    `said` has for each job the reading with the latest LastModifiedTime. Together with the jobs whose bill was
    `given_up`, that is all that a plain sum needs. Settled or lost jobs are `over`; once pruned they are `past` and are
    never read again.
    """

    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner()
        self._folder = Path(tempfile.mkdtemp(prefix="ledger-"))
        self._path, self._lives = self._folder / "state.db", 0
        self._time, self._disk = Time(), Disk()
        self.said: dict[tuple[str, float], TrainingJob] = {}
        self.over: set[tuple[str, float]] = set()
        self.past: set[tuple[str, float]] = set()
        self.given_up: set[tuple[str, float]] = set()
        self.shown: dict[SeriesKey, Amounts] = {}

    @initialize()
    def start(self) -> None:
        self._disk = Disk()
        self.books: Ledger = self._do(ledger(self._path, self._time, connect=self._disk.connect).__aenter__())
        self._do(self.books.begin(TARGET))

    @rule(
        name=_NAMES,
        generation=st.integers(0, 1),
        seconds=_SECONDS,
        billed=st.booleans(),
        retained=st.none() | _SECONDS,
        settled=st.booleans(),
    )
    def read(
        self, name: str, generation: int, seconds: float, billed: bool, retained: float | None, settled: bool
    ) -> None:
        """Apply a new response about a job. A name may be reused by a job with another CreationTime."""
        created = START + 10 + generation
        if (name, created) in self.past:
            return
        if settled:
            self.over.add((name, created))
        earlier = self.said.get((name, created))
        modified = (earlier.modified or created) + 1 if earlier else created + 100
        # A known bill may be corrected, but does not disappear.
        billed = billed or (earlier is not None and earlier.billable_seconds is not None)
        if settled and not billed:
            self.given_up.add((name, created))
        pool = None if retained is None else WarmPool("Available", retained, None)
        if pool is None and earlier:
            pool = earlier.warm_pool
        one = job(
            name,
            created,
            modified=modified,
            ended=created + seconds,
            training_seconds=seconds,
            billable_seconds=seconds / 2 if billed else None,
            instances=(Instances("ml.m5.large", "", 3),),
            transitions=(Transition("Training", created, created + seconds),),
            warm_pool=pool,
        )
        self.said[name, created] = one
        self._do(self.books.apply([Reading.of(one, settled)]))

    @precondition(lambda self: self.said.keys() - self.past)
    @rule(data=st.data(), seconds=_SECONDS)
    def keep_the_pool(self, data: st.DataObject, seconds: float) -> None:
        """Let the cost of a warm pool grow while LastModifiedTime does not change."""
        at = self._one(data)
        pool = self.said[at].warm_pool
        retained = (pool.retained_seconds or 0.0 if pool else 0.0) + seconds
        self.said[at] = replace(self.said[at], warm_pool=WarmPool("Available", retained, None))
        self._do(self.books.apply([Reading.of(self.said[at], settled=False)]))

    @precondition(lambda self: self.said.keys() - self.past)
    @rule(data=st.data())
    def send_the_bill(self, data: st.DataObject) -> None:
        """Send the bill, which may come at any time, without a change of LastModifiedTime."""
        at = self._one(data)
        self.said[at] = replace(self.said[at], billable_seconds=(self.said[at].training_seconds or 0.0) / 2)
        self._do(self.books.apply([Reading.of(self.said[at], settled=False)]))

    @precondition(lambda self: self.said.keys() - self.past)
    @rule(data=st.data(), seconds=_SECONDS)
    def read_late(self, data: st.DataObject, seconds: float) -> None:
        """Apply an older response, or the last one again: it must change nothing."""
        last = self.said[self._one(data)]
        late = data.draw(
            st.sampled_from([last, replace(last, modified=0.5, training_seconds=seconds, status="Failed")])
        )
        self._do(self.books.apply([Reading.of(late, settled=False)]))

    @rule(name=_NAMES)
    def read_one_that_was_over(self, name: str) -> None:
        """Apply a job that ended before the very first start."""
        self._do(self.books.apply([Reading.of(job(name, _OVER, ended=_OVER + 10, modified=_OVER + 20), settled=True)]))

    @precondition(lambda self: self.said.keys() - self.past)
    @rule(data=st.data())
    def lose(self, data: st.DataObject) -> None:
        """Apply the last reading of a job that AWS does not have any more."""
        at = self._one(data)
        self.over.add(at)
        if self.said[at].billable_seconds is None:
            self.given_up.add(at)
        self._do(self.books.apply([Reading.last(self.said[at].identity)]))

    @rule(days=st.sampled_from([1, 5, 10, 20, 50]))
    def prune(self, days: int) -> None:
        """Prune the ledger. Records of tracked, unsettled jobs stay, and so do records from their time on."""
        if days > 32:
            self.past |= self.over | (_JOBS - self.said.keys())
        followed = [one.identity for one in self.said.values()]
        self._do(self.books.forget(TARGET, DAY, START + days * DAY, followed))

    @rule(broken=st.booleans())
    def fail_or_mend(self, broken: bool) -> None:
        self._disk.broken = broken

    @rule()
    def restart(self) -> None:
        self._disk.broken = False
        self._do(self.books.__aexit__(None, None, None))
        self.start()

    @rule()
    def kill(self) -> None:
        """Kill the process. Readings not written yet are read again after the restart, and are given up again."""
        self._lives += 1
        grave = self._folder / str(self._lives)
        grave.mkdir()
        for file in self._path.parent.glob("state.db*"):
            shutil.copyfile(file, grave / file.name)
        self._leave()
        self._path = grave / "state.db"
        self.start()
        self._do(self.books.apply([Reading.of(one, settled=at in self.given_up) for at, one in self.said.items()]))

    @invariant()
    def no_total_goes_down(self) -> None:
        for key, series in self.books.totals(TARGET).items():
            assert all(map(le, self.shown.get(key, series.shown), series.shown)), key
            self.shown[key] = series.shown

    @invariant()
    def totals_are_the_sums(self) -> None:
        if self.books.pending:
            return
        seconds = self._thousandths(self.said)
        billed = {at for at, one in self.said.items() if one.billable_seconds is not None}
        retained = round(
            sum(one.warm_pool.retained_seconds or 0.0 for one in self.said.values() if one.warm_pool) * 1000
        )
        for family, labels, due in (
            ("jobs_created_total", (), 1000 * len(self.said)),
            ("jobs_finished_total", ("Completed",), 1000 * len(self.said)),
            ("instance_seconds_total", ("ml.m5.large", "false"), 3 * self._thousandths(billed | self.given_up)),
            ("billable_seconds_total", ("false",), self._thousandths(billed) // 2),
            ("warm_pool_retained_billable_seconds_total", (), retained),
            ("job_duration_seconds", ("Completed",), seconds),
            ("phase_duration_seconds", ("Training",), seconds),
        ):
            series = self.books.totals(TARGET).get(SeriesKey(f"sagemaker_training_{family}", labels, ()))
            assert (series.true[-1] if series else 0) == due, family

    def _thousandths(self, jobs: Iterable[tuple[str, float]]) -> int:
        """Return the training seconds of these jobs."""
        return round(sum(self.said[at].training_seconds or 0.0 for at in jobs) * 1000)

    def teardown(self) -> None:
        self._leave()
        self._runner.close()
        shutil.rmtree(self._folder)

    def _one(self, data: st.DataObject) -> tuple[str, float]:
        return data.draw(st.sampled_from(sorted(self.said.keys() - self.past)))

    def _leave(self) -> None:
        """Leave the ledger without closing it cleanly."""
        self._disk.broken = True
        self._do(self.books.__aexit__(KeyboardInterrupt, KeyboardInterrupt(), None))

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)


TestLedgerMachine = LedgerMachine.TestCase
TestLedgerMachine.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
