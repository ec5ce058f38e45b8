"""Hold the jobs of all accounts and regions."""

from __future__ import annotations

import bisect
from collections.abc import Callable
from dataclasses import dataclass, replace

from exporter.simulator.generator import Fleet
from exporter.simulator.life import Life


@dataclass(frozen=True, slots=True)
class Consistency:
    """How many seconds new jobs are missing from ListTrainingJobs, and how many the index of Search lags.

    `missing_code` is the error code for a job that does not exist; AWS was also seen to return ResourceNotFound.
    """

    list_delay: float = 0.0
    search_lag: float = 0.0
    missing_code: str = "ValidationException"


def by_creation(life: Life) -> tuple[float, str]:
    """Return the sort key of a store: creation time, then name."""
    return life.created, life.name


class Jobs:
    """The jobs of one account and region, oldest first. It may hold jobs that will be created in the future."""

    def __init__(self, fleet: Fleet | None = None) -> None:
        self._lives: list[Life] = []
        self._by_name: dict[str, list[Life]] = {}
        self._fleet = fleet
        self._ahead = 0.0

    def add(self, *lives: Life) -> None:
        """Add lives."""
        for life in lives:
            self._by_name.setdefault(life.name, []).append(life)
            self._ahead = max(self._ahead, life.ahead)
        if len(lives) > 1:
            self._lives = sorted((*self._lives, *lives), key=by_creation)
        else:
            for life in lives:
                bisect.insort(self._lives, life, key=by_creation)

    def grow(self, now: float) -> None:
        """Add the jobs that the fleet has created by `now`."""
        if self._fleet:
            for life in self._fleet.until(now):
                self.add(life)

    def all(self) -> tuple[Life, ...]:
        """Return all lives, including deleted and future ones."""
        return tuple(self._lives)

    def created(self, after: float, until: float) -> list[Life]:
        """Return the lives created after `after` that the API shows by `until`, oldest first; also deleted ones."""
        first = bisect.bisect_right(self._lives, after, key=_creation)
        last = bisect.bisect_right(self._lives, until + self._ahead, key=_creation)
        found = self._lives[first:last]
        return [life for life in found if life.appears <= until] if self._ahead else found

    def find(self, name: str, now: float) -> Life | None:
        """Return the job that has this name at `now`, None if there is none."""
        named = reversed(self._by_name.get(name, ()))
        return next((life for life in named if life.appears <= now < life.gone), None)

    def replace(self, old: Life, new: Life) -> None:
        """Replace `old` with `new`, which must have the same name and creation time."""
        place = bisect.bisect_left(self._lives, by_creation(old), key=by_creation)
        self._lives[self._lives.index(old, place)] = new
        named = self._by_name[old.name]
        named[named.index(old)] = new


class Store:
    """The jobs of all accounts and regions."""

    def __init__(
        self,
        fleets: Callable[[str, str], Fleet | None] = lambda _account, _region: None,
        consistency: Consistency | None = None,
    ) -> None:
        self._fleets = fleets
        self._jobs: dict[tuple[str, str], Jobs] = {}
        self.consistency = consistency or Consistency()

    def jobs(self, account: str, region: str) -> Jobs:
        """Return the jobs of one account and region."""
        if (account, region) not in self._jobs:
            self._jobs[account, region] = Jobs(self._fleets(account, region))
        return self._jobs[account, region]

    def add(self, account: str, region: str, *lives: Life) -> None:
        """Add lives to an account and region, and set their account and region accordingly."""
        self.jobs(account, region).add(*(replace(life, account=account, region=region) for life in lives))

    def lives(self, now: float | None = None) -> tuple[Life, ...]:
        """Return all lives of all accounts and regions, the input of `truth.total`. With `now`, the fleets create their
        jobs up to that time first."""
        for jobs in self._jobs.values():
            if now is not None:
                jobs.grow(now)
        return tuple(life for jobs in self._jobs.values() for life in jobs.all())


def _creation(life: Life) -> float:
    return life.created
