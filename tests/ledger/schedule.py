"""Draw the jobs of a run of the harness with the simulator's generator.

Some have late bills and rules, and some appear with a CreationTime in the future.
"""

from __future__ import annotations

import random
from dataclasses import replace

from exporter.ledger.store import Target
from exporter.simulator import generator
from exporter.simulator.casting import Casting
from exporter.simulator.generator import steady
from exporter.simulator.life import Life
from exporter.simulator.shapes import SHAPES
from exporter.simulator.store import Jobs
from tests.ledger.bills import delayed
from tests.ledger.fates import respelled

_MINUTE, _HOUR = 60.0, 3600.0
_SHAPES_OF_NAMESAKES = (
    "on_demand",
    "late_billing",
    "spot",
    "heterogeneous",
    "pool_expired",
    "algorithm_error",
    "stopped",
)


class Schedule:
    """Add lives to the jobs of the simulator. `late` draws everything about late bills, separately from all else."""

    def __init__(self, seed: int, chance: random.Random, jobs: Jobs, target: Target) -> None:
        self._chance, self._jobs, self._target = chance, jobs, target
        self.late = random.Random(f"bills {seed}")
        self._likely = self.late.choice((0.0, 0.1, 0.4))
        self._early = random.Random(f"ahead {seed}")
        self._ahead = self._early.choice((0.0, 0.0, 0.0, 0.3))

    @property
    def has_late_bills(self) -> bool:
        return self._likely > 0

    def add(self, start: float, seconds: float, history: float = 0.0) -> None:
        """Add jobs that are created within some seconds from `start`, and jobs of a `history` before."""
        plan = generator.Plan(jobs=6, pace=generator.DEMO_PACE, history=history, strange=True)
        fleet = generator.Fleet(plan, self._chance.randrange(2**32), start, *self._target)
        lives = map(respelled, fleet.until(start + seconds))
        self._jobs.add(*(self._dated(delayed(one, self.late, self._likely)) for one in lives))

    def add_after_one_from_the_future(self, now: float) -> None:
        """Add jobs that start in the next minutes, and one that exists now with a CreationTime in the future."""
        ahead = self._early.uniform(_MINUTE, _HOUR)
        account, region = self._target
        first, *others = (replace(one, account=account, region=region) for one in steady(4, now, "fresh", 60))
        dated = (replace(one, created=now + self._early.uniform(0, 300)) for one in others)
        self._jobs.add(replace(first, created=now + ahead, ahead=ahead), *dated)

    def _dated(self, life: Life) -> Life:
        """Return the life, in some cases with a CreationTime in the future when the job appears."""
        if self._early.random() >= self._ahead:
            return life
        return replace(life, ahead=self._early.uniform(_MINUTE, _HOUR))

    def add_namesake(self, gone: Life) -> None:
        """Add a job that reuses the name of a deleted one."""
        cast = Casting(self._chance, gone.gone + self._chance.uniform(0.1, 60), *self._target, generator.DEMO_PACE)
        shape = SHAPES[self._chance.choice(_SHAPES_OF_NAMESAKES)]
        self._jobs.add(delayed(replace(shape(cast)[0], name=gone.name), self.late, self._likely))

    def all_over(self) -> float:
        """Return when the last job and the last warm pool end."""
        return max(one.end + (one.pool.released_after if one.pool else 0.0) for one in self._jobs.all())
