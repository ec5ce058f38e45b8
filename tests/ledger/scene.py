"""Set up what happens at AWS to one target during a run of the harness, and compute what must be counted of it."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from operator import le

from exporter.aws import client as aws
from exporter.aws.rates import RateLimiters
from exporter.aws.sagemaker import SageMaker, rate_limits
from exporter.clock import Clock
from exporter.exposition.family import Pairs
from exporter.ledger.ledger import Ledger
from exporter.ledger.series import Amounts, Series, SeriesKey
from exporter.ledger.store import Target, Totals
from exporter.polling.api import Calls
from exporter.polling.assembly import assemble
from exporter.polling.health import Health
from exporter.polling.poller import Poller
from exporter.polling.recording import Display
from exporter.polling.settings import PollerSettings
from exporter.simulator.life import Life
from exporter.training.parsing import Allowlist
from tests.ledger.fates import Setting
from tests.ledger.market import Market
from tests.ledger.people import People
from tests.ledger.schedule import Schedule
from tests.ledger.troubles import FaultyRegion
from tests.ledger.verdict import UNPRICED, cost_tags, expected
from tests.virtual_time import Time

_LIMITS = rate_limits(5.0, 50.0, 5.0, 20, 2.0)
# These are never ahead of the bill.
_WITH_THE_BILL = ("sagemaker_training_seconds_total", "sagemaker_training_instance_seconds_total")


class Scene:
    """Hold the jobs, prices and people of a target, and its API with its failures.

    `first_start` is when the first exporter began to count (Unix seconds). `unfinished` are names of rules that were
    last shown as unfinished although they had ended.
    """

    def __init__(self, seed: int, chance: random.Random, time: Time, setting: Setting, target: Target) -> None:
        self.target, self._settings, self._time = target, [setting], time
        self.client = FaultyRegion(target, time, chance, setting, seed)
        self.jobs = self.client.jobs
        self.schedule = Schedule(seed, chance, self.jobs, target)
        self.market = Market(seed, time, target)
        self.people = People(time, self.jobs, chance, self.schedule, target)
        self.first_start, self.unfinished = 0.0, list[str]()
        self._high: dict[SeriesKey, Amounts] = {}
        self._seen: Mapping[SeriesKey, Series] = {}
        self._trained: dict[SeriesKey, Amounts] = {}

    @property
    def setting(self) -> Setting:
        """Return the setting in force."""
        return self._settings[-1]

    def set(self, setting: Setting) -> None:
        """Use another setting from now on."""
        self._settings.append(setting)

    def due(self) -> dict[SeriesKey, Amounts]:
        """Return everything that must be counted at the end."""
        return self._due_by() | self.market.due(self._counted(), self._tags_of)

    def poller(self, ledger: Ledger, clock: Clock, display: Display, client: object) -> Poller:
        """Return a poller of the target, whose calls to AWS are made with `client`."""
        calls = Calls()
        api = SageMaker(aws.Client(client, calls, RateLimiters(_LIMITS, clock), aws.InFlight(20, 20), clock))
        settings = PollerSettings(
            settle=60.0,
            retention=300.0,
            resync_interval=600.0,
            search=self.setting.search,
            workers=4,
            allowlist=Allowlist(cost_tags=self.setting.by_tags),
        )
        health = Health("/".join(self.target), calls, clock.time)
        return assemble(self.target, api, settings, ledger, display, health, clock)

    def look_at(self, totals: Totals) -> None:
        """Check that shown totals are never lower than before, and never ahead of the bill."""
        if totals is self._seen:
            return
        self._seen = totals
        for key, series in totals.items():
            if key.family == UNPRICED:
                continue
            assert all(map(le, self._high.get(key, series.shown), series.shown)), key
            self._high[key] = series.shown
        trained = {key: series.shown for key, series in totals.items() if key.family in _WITH_THE_BILL}
        if self.schedule.has_late_bills and trained != self._trained:
            self._trained, due = trained, self._due_by(self._time.now)
            assert all(shown <= due.get(key, (0,)) for key, shown in trained.items()), "ahead of the bill"

    def _due_by(self, now: float = math.inf) -> dict[SeriesKey, Amounts]:
        """Return what must be counted by now or at the end, without costs."""
        return expected(self._counted(), self._tags_of, now)

    def _counted(self) -> list[Life]:
        return [one for one in self.jobs.all() if self._counts(one)]

    def _counts(self, one: Life) -> bool:
        if one.end >= self.first_start - self.setting.backfill:
            return True
        # An earlier configuration may have counted it.
        earlier = self.first_start - max(setting.backfill for setting in self._settings)
        return one.end >= earlier and self.market.tags_of(one) is not None

    def _tags_of(self, life: Life) -> Pairs:
        """Return the tags with which a job was first read, which never change, or will be."""
        tags = self.market.tags_of(life)
        if tags is None:
            return cost_tags(life, self.setting.by_tags)
        assert tags in [cost_tags(life, setting.by_tags) for setting in self._settings], f"{life.name} has tags {tags}"
        return tags
