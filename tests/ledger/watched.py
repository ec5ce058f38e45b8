"""Record what no scrape may end with, on the board of the harness."""

from __future__ import annotations

from collections.abc import Callable

from exporter.ledger.store import JobRecord, Target
from exporter.polling.health import Health
from exporter.simulator.store import Jobs
from exporter.simulator.truth import PATIENCE
from exporter.training.active import ActiveCounts
from exporter.training.cost import Rates
from exporter.training.job import Identity, TrainingJob
from tests.ledger.market import Market
from tests.virtual_time import Time


class Watched:
    """Record jobs whose last shown state has an unfinished rule that AWS has finished."""

    def __init__(self, jobs: Jobs, time: Time, unfinished: list[str], market: Market) -> None:
        self._lives, self._time, self._unfinished, self._market = jobs, time, unfinished, market
        self._shown: dict[str, TrainingJob] = {}
        self._rates: dict[Identity, Rates] = {}
        self.unbilled: int | None = None

    def job(self, job: TrainingJob, rates: Rates | None = None) -> None:
        self._shown[job.name] = job
        if rates is not None:
            self._rates[job.identity] = rates
            self._market.keep(job.name, job.identity.created_ms, rates)

    def priced(self, job: TrainingJob, rates: Rates) -> None:
        self.job(job, rates)

    def gone(self, target: Target, name: str) -> None:
        job = self._shown.pop(name, None)
        life = self._lives.find(name, self._time.now)
        if job and life and job.created == life.created and self._time.now < life.end + PATIENCE:
            self._unfinished += [name for rule in job.rules if rule.status in ("InProgress", "Stopping")]

    def outdated(self, recorded: Callable[[Identity], JobRecord | None]) -> list[str]:
        """Return the jobs that are shown without the rates that they are recorded with."""
        found = ((job, recorded(job.identity)) for job in self._shown.values())
        return [job.name for job, one in found if one and one.facts.rates != self._rates.get(job.identity, {})]

    def target(self, target: Target, counts: ActiveCounts, health: Health, jobs: int) -> None:
        self.unbilled = counts.unbilled
