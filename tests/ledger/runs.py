"""Run schedules of jobs from their beginning to their end, by lives of exporters that end in many ways.

The seed determines everything.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Sequence

from exporter.ledger.series import Amounts, SeriesKey
from exporter.ledger.store import Target, TargetMarks, Totals
from tests.ledger.bills import has_corrections, moments
from tests.ledger.books import DAY, START
from tests.ledger.fates import Fate, Setting
from tests.ledger.market import CALM_FROM
from tests.ledger.scene import Scene
from tests.ledger.verdict import exposed, shown, to_be_exposed
from tests.virtual_time import Time

_HOUR = 3600.0
_PATIENCE = 1.5 * _HOUR
# Less than a resync interval.
_FRESH = 500.0
_CREATED = "sagemaker_training_jobs_created_total"
# How long into the calm some jobs are denied.
_DENIED_ON = 600.0


class Run(ABC):
    """Run one seed. Each target has a scene; `history` says how each life ended."""

    def __init__(self, seed: int, targets: Sequence[Target]) -> None:
        self.chance, self._seed = random.Random(seed), seed
        self.setting = Setting.drawn(self.chance)
        self.time, self.calm = Time(START), False
        self.scenes = [
            Scene(seed + 10**6 * number, self.chance, self.time, self.setting, target)
            for number, target in enumerate(targets)
        ]
        self.late = self.scenes[0].schedule.late
        self.history = list[str]()

    @abstractmethod
    def live(self, fate: Fate) -> None:
        """Run one life of the exporter, or of several. When all is calm it ends soon after the totals are right."""

    @abstractmethod
    def totals_of(self, target: Target) -> Totals:
        """Return the totals of a target at the end of the last life."""

    @abstractmethod
    def marks_of(self, target: Target) -> TargetMarks:
        """Return the marks of a target at the end of the last life."""

    def run(self) -> None:
        """Run the schedules. Raises AssertionError if a total goes down, or differs from the schedule at the end."""
        random.seed(self._seed)
        self._begin()
        long = self.chance.choice((0.0, 0.0, 6 * _HOUR, 40 * DAY))
        while self.time.now < self._all_over() + 300:
            self.live(Fate.drawn(self.time.now, self.chance))
            self.time.passed += self.chance.choice((1.0, 20.0, 200.0))
            awaited = any(has_corrections(scene.jobs.all(), self.time.now) for scene in self.scenes)
            if long and not awaited and self._knows_its_jobs() and self.chance.random() < 0.3:
                self._be_away(long)
                long = 0.0
        self._wait_for_bills()
        self.calm_down()
        self.live(Fate(self.time.now + _PATIENCE))
        assert self.right(), self.differences()
        self.time.passed += max(0.0, self.scenes[0].client.allowed_from - self.time.now)
        # Reading everything again must count nothing again.
        self.live(Fate(self.time.now + 500.0, whole=True))
        assert self.right(), self.differences()
        for scene in self.scenes:
            found = exposed(self.totals_of(scene.target), self.setting.by_tags)
            assert found == to_be_exposed(scene.due())
            assert not scene.unfinished
        self._finds_new_jobs()

    def right(self) -> bool:
        """Return whether all totals are what they must be at the end."""
        return all(self.counted(scene) == scene.due() for scene in self.scenes)

    def counted(self, scene: Scene) -> dict[SeriesKey, Amounts]:
        """Return the totals of a scene that are not 0."""
        return shown(self.totals_of(scene.target))

    def differences(self) -> dict[SeriesKey, tuple[Amounts | None, Amounts | None]]:
        """Return what is counted, and what should be, where they differ."""
        found: dict[SeriesKey, tuple[Amounts | None, Amounts | None]] = {}
        for scene in self.scenes:
            counted, due = self.counted(scene), scene.due()
            pairs = {key: (counted.get(key), due.get(key)) for key in counted | due}
            found |= {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}
        return found

    def _begin(self) -> None:
        for scene in self.scenes:
            scene.schedule.add(START, 600.0, history=self.chance.choice((0.0, 400.0)))

    def _all_over(self) -> float:
        return max(scene.schedule.all_over() for scene in self.scenes)

    def _be_away(self, long: float) -> None:
        """Let a time pass in which some jobs begin and end, while others still run afterwards."""
        for scene in self.scenes:
            scene.schedule.add(self.time.now + long / 2, 100.0)
        self.time.passed += long
        for scene in self.scenes:
            scene.schedule.add(self.time.now, 200.0, history=100.0)

    def _knows_its_jobs(self) -> bool:
        """Return whether the exporter has seen whole lists; if not, it looks back only as far as `lookback`."""
        return all(self.marks_of(scene.target).discovered_until > 0 for scene in self.scenes)

    def calm_down(self) -> None:
        """Let nothing fail any more."""
        self.calm = True
        for scene in self.scenes:
            scene.people.calm = True
            scene.client.faulty = 0.0
            scene.client.allowed_from = self.time.now + _DENIED_ON

    def _wait_for_bills(self) -> None:
        """Run the exporter at some of the times when a bill comes or is given up, and skip the others."""
        for _ in range(self.late.randint(0, 4)):
            if not (later := self._moments()):
                break
            wait = max(0.0, self.late.choice(later) - self.late.uniform(0, 300) - self.time.now)
            asleep = wait if self.late.random() < 0.3 else 0.0
            self.time.passed += wait - asleep
            fate = Fate.drawn(self.time.now + asleep, self.late)
            fate.asleep = asleep
            self.live(fate)
            self.time.passed += self.late.choice((1.0, 20.0, 200.0))
        over = max(self.time.now, CALM_FROM, self._all_over(), *self._moments())
        self.time.passed += over + 1.0 - self.time.now

    def _moments(self) -> list[float]:
        return [one for scene in self.scenes for one in moments(scene.jobs.all(), self.time.now)]

    def _finds_new_jobs(self) -> None:
        """Check that new jobs are found by walks alone, because a later resync would hide a wrong time."""
        for scene in self.scenes:
            scene.schedule.add_after_one_from_the_future(self.time.now)
        self.live(Fate(self.time.now + _FRESH, whole=True))
        for scene in self.scenes:
            found, due = (
                {key: amounts for key, amounts in of.items() if key.family == _CREATED}
                for of in (self.counted(scene), scene.due())
            )
            assert found == due, "new jobs are hidden"
