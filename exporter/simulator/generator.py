"""Generate fleets: endless sequences of jobs of every shape, which begin before the start of the simulator."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from exporter.simulator.casting import USUAL_SECONDS, Casting
from exporter.simulator.life import Group, Life, Phase
from exporter.simulator.request import plain
from exporter.simulator.rng import seeded
from exporter.simulator.shapes import SHAPES

# Additional jobs of common shapes in every round.
FREQUENT = (
    *("on_demand",) * 4,
    *("spot",) * 3,
    *("stopped",) * 3,
    *("pool_reused", "pool_expired", "serverless", "tuning", "debugged"),
)


# At this pace jobs take one to five minutes.
DEMO_PACE = 1 / 24


@dataclass(frozen=True, slots=True)
class Plan:
    """The size of a fleet: how many jobs are active at a time (about), how fast they run, and how far back they go.

    Every duration of a job is multiplied by `pace`; at 1 an average job takes an hour. `history` is how many seconds
    before the start the first job was created; by default long enough that every shape has occurred and that the
    planned number of jobs is active at the start. With `strange`, some jobs have unknown statuses.
    """

    jobs: int = 40
    pace: float = 1.0
    history: float | None = None
    strange: bool = False


class Fleet:
    """The jobs of one account and region. They depend only on the plan, the seed and the start."""

    def __init__(self, plan: Plan, seed: int, start: float, account: str, region: str) -> None:
        self._creations = _creations(plan, seeded(seed, account, region), start, account, region)
        self._next = next(self._creations)

    def until(self, now: float) -> Iterator[Life]:
        """Yield the lives due by `now` that were not yielded before. Of two jobs that belong together, the second one
        may be created later than `now`."""
        while self._next[0] <= now:
            yield from self._next[1]
            self._next = next(self._creations)


def fleets(
    plan: Plan | None, seed: int, start: float, homes: Sequence[tuple[str, str]]
) -> Callable[[str, str], Fleet | None]:
    """Return a function that creates the fleet of an account and region.

    The planned jobs are shared among the `homes` (account, region); others have no fleet.
    """

    def fleet(account: str, region: str) -> Fleet | None:
        if plan is None or not plan.jobs or (account, region) not in homes:
            return None
        share = replace(plan, jobs=max(1, plan.jobs // len(homes)))
        return Fleet(share, seed, start, account, region)

    return fleet


def steady(count: int, created: float, prefix: str = "steady", seconds: float | None = None) -> Iterator[Life]:
    """Yield identical lives that train for `seconds`, or for ever if None. They are cheap to create and to serve, for
    benchmarks and soak tests."""
    groups = (Group("ml.g5.2xlarge", 1),)
    life = Life(
        name=prefix,
        created=created,
        phases=(
            Phase("Starting", 60, "Preparing the instances for training"),
            Phase("Downloading", 30, "Downloading input data", on_instances=True),
            Phase("Training", seconds or 0, "Training in progress", on_instances=True),
        ),
        groups=groups,
        spec=plain(seeded(0), "123456789012", "us-east-1", groups),
        tags={"team": "vision"},
    )
    if seconds is None:
        life = replace(life, ending=None)
    return (replace(life, name=f"{prefix}-{number:06d}") for number in range(count))


def _creations(
    plan: Plan, rng: random.Random, start: float, account: str, region: str
) -> Iterator[tuple[float, tuple[Life, ...]]]:
    usual = USUAL_SECONDS * plan.pace
    gap = usual / max(1, plan.jobs)
    history = max(4 * usual, 1.2 * gap * len(_round(rng, plan.strange)))
    created = start - (history if plan.history is None else plan.history)
    serial = 0
    while True:
        for name in _round(rng, plan.strange):
            created += rng.uniform(0, 2 * gap)
            cast = Casting(rng, created, account, region, plan.pace, serial)
            yield created, SHAPES[name](cast)
            serial += 1


def _round(rng: random.Random, strange: bool) -> list[str]:
    """Return every shape at least once, shuffled, so that no fleet has to wait long for any of them."""
    names = [name for name in SHAPES if strange or name != "strange"]
    names += FREQUENT
    rng.shuffle(names)
    return names
