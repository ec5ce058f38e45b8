"""Examines every target of a configuration, all at the same time; a target that fails changes nothing for another."""

from __future__ import annotations

import asyncio
import platform

from exporter import __version__
from exporter.aws.client import InFlight
from exporter.aws.observing import SDK_VERSION, ObservedSessions
from exporter.aws.regions import known_regions
from exporter.clock import Clock
from exporter.cloudwatch.api import GET_METRIC_DATA
from exporter.config import Config
from exporter.doctor.asking import Asking, Means
from exporter.doctor.findings import Findings, Section
from exporter.doctor.notes import Notes
from exporter.doctor.state import examine_state
from exporter.polling.api import ASSUME, DESCRIBE, IDENTITY, LIST, SEARCH, TAGS, ApiError
from exporter.prices.products import GET_PRODUCTS
from exporter.quotas.applied import LIST_QUOTAS
from exporter.wiring.targets import TargetSpec, target_specs

_OPERATIONS = (LIST, DESCRIBE, TAGS, SEARCH, GET_PRODUCTS, LIST_QUOTAS, GET_METRIC_DATA)
# The calls in flight over all targets, in multiples of polling.max_concurrency: to targets that respond, and to others.
_EVERYONE, _HANGING = 10, 1
# The targets that are examined at a time; each takes some seconds, most of them waiting.
_TARGETS = 20


async def examine(config: Config, clock: Clock) -> Findings:
    """Make one read of each operation in each target of this shard, and look at the place of the totals. Failures are
    part of what is returned."""
    at_a_time = config.polling.max_concurrency
    sessions = ObservedSessions(config.polling.timeout, at_a_time, clock)
    means = Means(config, sessions, InFlight(_EVERYONE * at_a_time, _HANGING * at_a_time), clock)
    published = known_regions()
    targets = [_Target(means, number, spec, published) for number, spec in enumerate(target_specs(config), 1)]
    elsewhere = {(target.spec.role.account, target.region) for target in targets if target.spec.role}
    first: dict[str, _Target] = {}
    for target in targets:
        first.setdefault(target.region, target)
    # More at a time would keep the processor so busy with opening clients that answers seem late.
    turns = asyncio.Semaphore(_TARGETS)

    async def examined(target: _Target) -> Section:
        async with turns:
            return await target.section(first[target.region], elsewhere)

    state, sections = await asyncio.gather(
        asyncio.to_thread(examine_state, config, clock), asyncio.gather(*map(examined, targets))
    )
    return Findings(_versions(), _settings(config), state, tuple(sections))


class _Target:
    """One target, with its number in the configuration. Its region is "" if it is unknown; it is named if it is one of
    the `published` ones."""

    def __init__(self, means: Means, number: int, spec: TargetSpec, published: frozenset[str]) -> None:
        self._means, self.spec, self._number, self._published = means, spec, number, published
        self._notes, self.region = Notes(), ""
        self._identity = ASSUME if spec.role else IDENTITY
        with self._notes.noting(self._identity, *_OPERATIONS):
            region = spec.region or means.sessions.default_region()
            if region is None:
                raise ApiError(IDENTITY, "NoRegion")
            self.region = region

    @property
    def title(self) -> str:
        """Return a name that may be published: regions that AWS publishes are no secret."""
        where = self.region if self.region in self._published else "a region unknown to the SDK"
        return f"target {self._number} ({where if self.region else 'no region'})"

    async def section(self, first: _Target, elsewhere: set[tuple[str, str]]) -> Section:
        """Ask everything. `first` is the first target of the region, which asks for its prices; `elsewhere` are the
        accounts and regions that targets with a role have."""
        began = self._means.clock.monotonic()
        if self.region:
            asking = Asking(self._means, self.region, self.spec.role, self._notes)
            if first is not self:
                self._notes.leave_out(GET_PRODUCTS, f"as in {first.title}")
            account, *_ = await asyncio.gather(asking.identity(), asking.everything(prices=first is self))
            if self.spec.role is None and (account, self.region) in elsewhere:
                self._notes.fail(IDENTITY, ApiError(IDENTITY, "DuplicateTarget"))
        readings = (self._notes.reading(each, self._means.config) for each in (self._identity, *_OPERATIONS))
        return self._notes.section(self.title, tuple(readings), self._means.clock.monotonic() - began)


def _versions() -> str:
    return f"sagemaker-exporter {__version__}, Python {platform.python_version()}, {SDK_VERSION}, {platform.system()}"


def _settings(config: Config) -> str:
    """Return what of the configuration decides which operations are needed."""
    switches = {
        "tags": config.jobs.tags or config.totals.by_tags,
        "quotas": config.quotas.interval,
        "cloudwatch": config.cloudwatch.enabled,
    }
    states = [f"{name} {'on' if on else 'off'}" for name, on in switches.items()]
    polling = config.polling
    rates = {"list": polling.list_rps, "describe": polling.describe_rps, "search": polling.search_rps}
    limits = [f"{name} {rate:g}/s" for name, rate in rates.items()]
    return ", ".join([f"strategy {polling.strategy}", f"prices {config.prices.source}", *states, *limits])
