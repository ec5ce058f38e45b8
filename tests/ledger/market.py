"""Simulate prices that stay, change, come late, disappear and return, or never come, and compute the resulting costs.

The exporter uses the price list that it read last. It reads one at times, and is told only of new prices; during a
reload it is told before the ledger uses them.

The price of a job depends on when it was first read. That price is taken from what the exporter stored; it must be one
that existed, and must never change. Everything else comes from the schedule.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction

from exporter.exposition.family import Pairs
from exporter.ledger.series import Amounts, SeriesKey
from exporter.ledger.store import JobRecord, LedgerUpdate, Target
from exporter.polling.poller import Poller
from exporter.simulator import truth
from exporter.simulator.life import Life
from exporter.training.cost import Rate, Rates
from exporter.training.facts import FINAL, Facts
from exporter.training.job import SAME_JOB_MS, Identity
from tests.ledger.books import START
from tests.ledger.verdict import COST, SAVED, UNPRICED, by_team
from tests.virtual_time import Time

_NANO = 10**9
# No price changes after this time.
CALM_FROM = START + 3100.0
# Times from which a price applies; None means that there is no price.
_Offers = list[tuple[float, Fraction | None]]


class Market:
    """Hold the price list of a run, drawn separately from everything else in its seed."""

    def __init__(self, seed: int, time: Time, target: Target) -> None:
        self._chance, self._time, self._seed, self._target = random.Random(f"market {seed}"), time, seed, target
        self._offers: dict[tuple[str, str], _Offers] = {}
        # When the price list in force was read, and since when it can be read at all.
        self._listed, self._readable_from = -math.inf, self._chance.choice((START, START, CALM_FROM))
        # The adjustments of all lives so far; the last one is in force.
        self.multipliers = [Fraction(1)]
        self.wrong: list[str] = []
        self._final: set[Identity] = set()
        # What was written by a transaction that may not have been committed.
        self._perhaps: dict[tuple[str, int], Facts] = {}
        self._kept: defaultdict[str, dict[int, Rates]] = defaultdict(dict)
        self._tags: defaultdict[str, dict[int, Pairs]] = defaultdict(dict)

    def rate(self, account: str, region: str, instance_type: str, usage: str) -> Rate | None:
        """Return the price in the list in force; without one for spot or warm pools, the training price."""
        return self._rate(instance_type, usage, self._listed)

    def opens(self) -> None:
        """Begin a life of the exporter with the list of the life before, or without one: its source may be down."""
        if self._chance.random() < 0.5:
            self._listed = -math.inf

    async def tell(self, poller: Poller) -> None:
        """Read the list at times, and tell a poller of what is new in it."""
        while True:
            await asyncio.sleep(self._chance.uniform(5, 90))
            read = self._time.now
            if read < self._readable_from or not self._changed(self._listed, read):
                continue
            if self._chance.random() < 0.3:
                # A reload reads them some time before they come into force.
                await poller.price()
                await asyncio.sleep(self._chance.uniform(0, 30))
            self._listed = read
            await poller.price()

    def keep(self, name: str, created_ms: int, rates: Rates) -> None:
        """Record the rates that the exporter stored with a job, and report a job that was repriced."""
        kept = self._kept[name]
        key = next((ms for ms in kept if abs(ms - created_ms) <= SAME_JOB_MS), created_ms)
        priced = {what: rate for what, rate in kept.get(key, {}).items() if isinstance(rate, Rate)}
        if any(rates.get(what) != rate for what, rate in priced.items()):
            self.wrong.append(f"{name} was repriced")
        for (type_, usage), rate in rates.items():
            if isinstance(rate, Rate) and rate.per_hour not in self._ever(type_, usage):
                self.wrong.append(f"{name} has a price that there never was")
        kept[key] = rates

    def committed(self, update: LedgerUpdate, certain: bool) -> None:
        """Record the rates of written jobs, as some jobs are deleted from the state file in the same life."""
        for record in update.records:
            if (record.identity.account, record.identity.region) != self._target:
                continue
            if not certain:
                self._perhaps[record.identity.name, record.identity.created_ms] = record.facts
                continue
            self._note(record)

    def look_at(self, records: Iterable[JobRecord]) -> None:
        """Record the rates in committed records of the target."""
        for record in records:
            self._note(record)

    def tags_of(self, life: Life) -> Pairs | None:
        """Return the cost tags that a job was recorded with, None if it never was."""
        created_ms = round(life.created * 1000)
        perhaps = self._perhaps_of(life)
        unsure = perhaps.cost_tags if perhaps else None
        kept = self._tags[life.name].items()
        return next((tags for ms, tags in kept if abs(ms - created_ms) <= SAME_JOB_MS), unsure)

    def _note(self, record: JobRecord) -> None:
        """Note what is recorded of a job; that its savings count if it was settled, which a debugger rule may delay for
        a day."""
        self.keep(record.identity.name, record.identity.created_ms, record.facts.rates)
        tags = record.facts.cost_tags
        if self._tags[record.identity.name].setdefault(record.identity.created_ms, tags) != tags:
            self.wrong.append(f"{record.identity.name} has other tags than before")
        if record.facts.value(FINAL):
            self._final.add(record.identity)
        elif record.settled:
            self.wrong.append(f"{record.identity.name} is settled and not final")

    def due(self, lives: Iterable[Life], tags_of: Callable[[Life], Pairs]) -> dict[SeriesKey, Amounts]:
        """Return every series of costs that is not 0 at the end."""
        found = Counter[SeriesKey]()
        for tags, group in by_team(lives, tags_of).items():
            for life in group:
                for family, labels, amount in self._cost(life):
                    found[SeriesKey(family, labels, () if family == UNPRICED else tags)] += amount
        return {key: (amount,) for key, amount in found.items() if amount}

    def _cost(self, life: Life) -> Iterator[tuple[str, tuple[str, ...], int]]:
        job, rates = truth.expected(life), self._kept_of(life)
        usage = "spot_training" if life.spot else "training"
        prepaid = "TrainingPlanArn" in life.spec.get("ResourceConfig", {})
        for type_, seconds in job.billable_instance_seconds.items():
            yield self._billed(rates, type_, usage, seconds, prepaid)
            if life.spot and self._is_final(life) and isinstance(rate := rates.get((type_, usage)), Rate):
                saved = job.instance_seconds[type_] - seconds
                yield SAVED, (type_, rate.currency), _nano(saved, rate)
        for type_, seconds in job.retained_instance_seconds.items():
            yield self._billed(rates, type_, "warm_pool", seconds, prepaid)

    def _billed(
        self, rates: Rates, type_: str, usage: str, seconds: int, prepaid: bool
    ) -> tuple[str, tuple[str, ...], int]:
        rate = rates.get((type_, usage))
        if isinstance(rate, Rate) and not prepaid:
            return COST, (type_, usage, rate.currency), _nano(seconds, rate)
        # If there is a price now, the exporter must have found it.
        missed = self._rate(type_, usage, self._time.now) is not None
        return UNPRICED, (type_, "training_plan" if prepaid else "missed" if missed else "no_price"), seconds * 1000

    def _rate(self, instance_type: str, usage: str, at: float) -> Rate | None:
        for one in (usage, "training"):
            price = next((p for when, p in reversed(self._of(instance_type, one)) if when <= at), None)
            if price is not None:
                return Rate(price * self.multipliers[-1], "USD")
        return None

    def _changed(self, before: float, now: float) -> bool:
        """Return whether the list at one time differs from that at a later one, for types that have occurred."""
        return any(before < when <= now for offers in self._offers.values() for when, _ in offers)

    def _is_final(self, life: Life) -> bool:
        identity = Identity(*self._target, life.name, round(life.created * 1000))
        perhaps = self._perhaps_of(life)
        return any(identity.is_same(other) for other in self._final) or bool(perhaps and perhaps.value(FINAL))

    def _kept_of(self, life: Life) -> Rates:
        created_ms = round(life.created * 1000)
        kept = self._kept[life.name].items()
        perhaps = self._perhaps_of(life)
        unsure = perhaps.rates if perhaps else {}
        return next((rates for ms, rates in kept if abs(ms - created_ms) <= SAME_JOB_MS), unsure)

    def _perhaps_of(self, life: Life) -> Facts | None:
        created_ms = round(life.created * 1000)
        found = (f for (n, ms), f in self._perhaps.items() if n == life.name and abs(ms - created_ms) <= SAME_JOB_MS)
        return next(found, None)

    def _ever(self, instance_type: str, usage: str) -> set[Fraction]:
        listed = [price for one in (usage, "training") for _, price in self._of(instance_type, one)]
        return {price * each for price in listed if price is not None for each in self.multipliers}

    def _of(self, instance_type: str, usage: str) -> _Offers:
        key = instance_type, usage
        if key not in self._offers:
            self._offers[key] = _offers(random.Random(f"{self._seed} {key}"), usage)
        return self._offers[key]


def _offers(chance: random.Random, usage: str) -> _Offers:
    def price() -> Fraction:
        return Fraction(chance.randint(1, 10**9), 10**7)

    def later(earlier: float = START) -> float:
        return earlier + chance.uniform(50, 1500)

    if usage != "training" and chance.random() < 0.5:
        return []
    kind = chance.random()
    if kind < 0.4:
        return [(START - 10**9, price())]
    if kind < 0.65:
        return [(START - 10**9, price()), *sorted((later(), price()) for _ in range(3))]
    if kind < 0.8:
        return [(later(), price())]
    if kind < 0.9:
        gone = later()
        return [(START - 10**9, price()), (gone, None), (later(gone), price())]
    return []


def _nano(seconds: int, rate: Rate) -> int:
    return round(Fraction(seconds) * rate.per_hour / 3600 * _NANO)
