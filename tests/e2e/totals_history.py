"""Write weeks of scrapes as Prometheus blocks: expositions at simulated times, across a restart of the exporter."""

from __future__ import annotations

import random
import re
from collections.abc import AsyncIterator, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

from exporter.ledger.opening import open_ledger
from exporter.simulator import Life
from exporter.simulator.casting import TROUBLES, Casting, usual, with_limits, with_resources, with_spec
from exporter.simulator.generator import Fleet, Plan
from exporter.simulator.life import Ending, Group, Phase, WarmPool
from exporter.training.cost import Rate
from tests.deploy.ruleset import RECORDS
from tests.displays import Showing
from tests.polling.simulated import DAY, HOUR, Exporter, Settings
from tests.prometheus import promtool
from tests.sagemaker import TARGET, Region
from tests.virtual_time import Time, run

# Prometheus need not scrape every minute for the sums to be right.
STEP = 7200


def _utc(month: int, day: int, hour: int = 0, minute: int = 0) -> float:
    return datetime(2023, month, day, hour, minute, tzinfo=UTC).timestamp()


FIRST_START, OCTOBER, NOVEMBER = _utc(10, 24, 6), _utc(10, 1), _utc(11, 1)
END = _utc(11, 9, 12)
# The exporter is down, then comes back at another address. At another time Prometheus is down.
DOWN = (_utc(11, 6, 8), _utc(11, 6, 14))
UNSEEN = (_utc(10, 27, 22), _utc(10, 28, 3))
_TIMES = [FIRST_START + at for at in range(0, int(END - FIRST_START) + 1, STEP)]
_POLLS = [at for at in _TIMES if at <= DOWN[0]], [at for at in _TIMES if at >= DOWN[1]]
ADDRESSES = ("10.0.7.11:9841", "10.0.9.32:9841")

# Two teams, and some untagged jobs.
TEAMS = ("vision", "language", "")
# Dollars an hour, made up; one type has no price.
NO_PRICE = "ml.c5.2xlarge"
_TRAINING = {
    "ml.m5.xlarge": 0.25,
    "ml.g4dn.xlarge": 0.75,
    "ml.g5.2xlarge": 1.5,
    "ml.g5.12xlarge": 7.0,
    "ml.p3.2xlarge": 4.0,
    "ml.p4d.24xlarge": 37.5,
    "ml.trn1.2xlarge": 1.75,
    "ml.c5n.18xlarge": 4.5,
    "ml.p5.48xlarge": 98.0,
}
_PART = {"training": 1.0, "spot_training": 0.75, "warm_pool": 0.5}
PRICES = {(kind, usage): price * part for kind, price in _TRAINING.items() for usage, part in _PART.items()}
_SETTINGS = Settings(cost_tags=("team",), resync=DAY, retention=12 * HOUR)
# Of the histogram only what the queries ask for; all of it would be most of the text.
QUEUE = ("Pending", "Starting", "LaunchingMLInstances", "PreparingTrainingStack")


def _totals_of(rule: Mapping[str, str]) -> set[str]:
    """The families that a rule names, not what it recorded before."""
    return set(re.findall(r"(?<!:)\b(sagemaker_\w+)\b(?!:)", rule["expr"]))


# Of rules that record one family as it is.
_RECORDS = {
    _totals_of(rule).pop(): record
    for record, rule in RECORDS.items()
    if record.endswith(":max") and len(_totals_of(rule)) == 1
}
_FROM_0 = {record for record, rule in RECORDS.items() if re.search(r"\b0 \*", rule["expr"])}
_SAMPLE = re.compile(rb"^(sagemaker_\w+)\{(.*)(\} \S+)$")
_UNASKED = re.compile(rb'_seconds_(count|sum)\{|_bucket\{.*secondary_status="(?!(?:%s)")' % "|".join(QUEUE).encode())


@dataclass(frozen=True, slots=True)
class History:
    """Hold what happened, and when Prometheus scraped it."""

    lives: Sequence[Life]
    scrapes: Sequence[float]
    blocks: Path

    def seen(self, when: float) -> float:
        """Return the time of the last scrape up to `when`, or `when` before the first one."""
        return max((scrape for scrape in self.scrapes if scrape <= when), default=when)


def lives() -> list[Life]:
    """Return a small fleet since the first start.

    From November on it also uses a new instance type, and at the end it has some jobs near their limits.
    """
    fleet = Fleet(Plan(jobs=1, pace=1.5, history=0.0), 3, FIRST_START, *TARGET)
    found = [life for life in fleet.until(END) if FIRST_START < life.created < END - 60]
    found += [*_late_arrivals(), *near_their_limits(END), _with_a_pool_that_waits(END)]
    teams = [team for team in TEAMS for _ in range(5 if team else 1)]
    return [of_team(life, teams[number % len(teams)]) for number, life in enumerate(found)]


def of_team(life: Life, team: str) -> Life:
    return replace(life, tags={"team": team} if team else {})


def _late_arrivals() -> Iterator[Life]:
    # The last job before the restart starts and ends while the exporter is down.
    for serial, created in enumerate((_utc(11, 2, 9), _utc(11, 6, 9), _utc(11, 8, 15))):
        yield usual(_cast(created, serial), "large", (Group("ml.p5.48xlarge", 2),))


def near_their_limits(now: float) -> Iterator[Life]:
    """Return jobs near their limits.

    There are two on-demand jobs, one near and one far; a spot job whose interruptions do not count as run time; one
    whose wait is nearly over; and one that has given up.
    """
    for name, began, limit in (("near", 5.5, 6), ("far", 5.5, 8)):
        yield _running(f"limit-{name}", now - began * HOUR, limit)
    spot = _running("limit-interrupted", now - 9 * HOUR, 8)
    broken_off = (Phase("Training", 1800, "", True), Phase("Interrupted", 600), Phase("Starting", 7200))
    again = replace(spot, phases=(*spot.phases[:-1], *broken_off, spot.phases[-1]))
    yield with_limits(with_spec(again, EnableManagedSpotTraining=True), MaxWaitTimeInSeconds=86400)
    for name, ending in (("limit-wait", None), ("limit-waited", Ending("Stopped", "MaxWaitTimeExceeded", ""))):
        waiting = replace(_running(name, now - 11.5 * HOUR, 11), phases=(_no_capacity(11 * 3600),), ending=ending)
        yield with_limits(with_spec(waiting, EnableManagedSpotTraining=True), MaxWaitTimeInSeconds=12 * 3600)


def _with_a_pool_that_waits(now: float) -> Life:
    ended = replace(usual(_cast(now - 12 * HOUR, 0), "pool", (Group("ml.g5.2xlarge", 1),)), pool=WarmPool(12 * HOUR))
    return with_resources(ended, KeepAlivePeriodInSeconds=12 * 3600)


def _no_capacity(seconds: float) -> Phase:
    return Phase("Starting", seconds, TROUBLES[0])


def _running(name: str, created: float, limit: int) -> Life:
    life = usual(_cast(created, 0), name, (Group("ml.g5.2xlarge", 1),))
    phases = (Phase("Starting", 120), Phase("Downloading", 60, "", True), Phase("Training", 0, "", True))
    return with_limits(replace(life, name=name, phases=phases, ending=None), MaxRuntimeInSeconds=limit * 3600)


def _cast(created: float, serial: int) -> Casting:
    return Casting(random.Random(serial), created, *TARGET, serial=serial)


def record(directory: Path, names: Container[str]) -> History:
    """Run the exporter through the history, and write the scrapes of these families as Prometheus blocks."""
    return run(_recorded(directory, names), Time(FIRST_START))


async def _recorded(directory: Path, names: Container[str]) -> History:
    region, state, text = Region(*lives()), directory / "state.db", directory / "scrapes.txt"
    scrapes, recorded = [], Recorded()
    with text.open("wb") as file:
        for address, times in zip(ADDRESSES, _POLLS, strict=True):
            async for now, lines in _life(region, state, names, times):
                if not UNSEEN[0] < now < UNSEEN[1]:
                    scrapes.append(now)
                    file.writelines(_stamped(lines, f'instance="{address}",', now))
                    file.writelines(recorded.stamped(lines, now))
        file.write(b"# EOF\n")
    blocks = directory / "data"
    made = promtool("tsdb", "create-blocks-from", "openmetrics", "-q", "--max-block-duration=2400h", text, blocks)
    assert made.returncode == 0, made.stderr
    return History(region.jobs.all(), scrapes, blocks)


async def _life(
    region: Region, state: Path, names: Container[str], times: Sequence[float]
) -> AsyncIterator[tuple[float, Iterable[bytes]]]:
    """Yield the time and the exposition after each poll of one process."""
    _wait(region, times[0])
    async with open_ledger(str(state), region.clock.time) as ledger:
        ledger.rate_of = rate_of
        board = Showing(ledger, lambda family: family in names, started=times[0], rate_of=rate_of)
        exporter = Exporter(region, ledger, _SETTINGS, board)
        for now in times:
            _wait(region, now)
            assert await exporter.poller.once()
            for name in exporter.tracker.expired(now):
                exporter.tracker.drop(name)
                board.gone(TARGET, name)
            yield now, (await board.text()).encode().splitlines()


def _wait(region: Region, until: float) -> None:
    region.clock.advance(max(0.0, until - region.now()))


def rate_of(account: str, region: str, instance_type: str, usage: str) -> Rate | None:
    """The price list, which never changes."""
    price = PRICES.get((instance_type, usage))
    return None if price is None else Rate(Fraction(price), "USD")


class Recorded:
    """What the recording rules make of each scrape: the totals under the names of the rules, without the labels of the
    scrape. A series that is new has 0 first; Prometheus evaluates a rule more often than this history has scrapes, so
    that comes a minute before the value."""

    def __init__(self) -> None:
        self._known: set[bytes] = set()

    def stamped(self, lines: Iterable[bytes], now: float) -> Iterator[bytes]:
        """The samples of the rules at `now`."""
        for line in lines:
            found = _SAMPLE.match(line)
            if found and (record := _RECORDS.get(found[1].decode())):
                series = record.encode() + b"{" + found[2]
                if record in _FROM_0 and series not in self._known:
                    yield series + b"} 0 %.0f\n" % (now - 60)
                self._known.add(series)
                yield series + found[3] + b" %.0f\n" % now


def _stamped(lines: Iterable[bytes], labels: str, now: float) -> Iterator[bytes]:
    """Return the exposition as the samples of a scrape at `now`, with the labels of the scrape."""
    more, when = labels.encode(), b" %.0f\n" % now
    for line in lines:
        if (found := _SAMPLE.match(line)) and not _UNASKED.search(line):
            yield found[1] + b"{" + more + found[2] + found[3] + when
