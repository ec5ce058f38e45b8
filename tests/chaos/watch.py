"""Decide from scrapes of several replicas whether each target was always shown by one of them, and never a lower total.

A scrape is not a moment: what it shows was true at some time between its request and its answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from exporter.ledger.store import Target
from tests.chaos.truth import Samples, Series


class Scrape(NamedTuple):
    """A scrape of a replica, from its request to its answer (monotonic seconds): the totals of each target that it
    shows. Requests to a process that is suspended begin when it continues."""

    replica: str
    began: float
    ended: float
    totals: Mapping[Target, Samples]


class Gap(NamedTuple):
    """A time in which no scrape showed a target."""

    target: Target
    began: float
    ended: float


class Fault(NamedTuple):
    """What was done to the replicas or to their database, and for how long a target may be missing afterwards."""

    at: float
    what: str
    limit: float


class Stall(NamedTuple):
    """How much later than at `at` a task of the test was continued, because the machine had more to do."""

    at: float
    seconds: float


def shown_twice(scrapes: Iterable[Scrape]) -> list[str]:
    """Return where a replica showed a target while another one held it.

    A replica that shows a target in two scrapes, one after the other, holds it from the end of the first to the begin
    of the second: it does not come and go as fast as that.
    """
    found = []
    by_target = _by_target(scrapes)
    for target, shown in by_target.items():
        for holder, one in shown.items():
            held = [(a.ended, b.began) for a, b in pairwise(one) if target in a.totals and target in b.totals]
            for other, scraped in shown.items():
                found += [
                    f"{'/'.join(target)} is shown by {other} at {scrape.began:.2f}, and held by {holder}"
                    for scrape in scraped
                    if other != holder and target in scrape.totals
                    if any(since <= scrape.began and scrape.ended <= until for since, until in held)
                ]
    return found


def gone_down(scrapes: Iterable[Scrape]) -> list[str]:
    """Return the totals that were lower than in a scrape that had ended before, of any replica."""
    found = []
    highest: dict[tuple[Target, Series], float] = {}
    finished = sorted(scrapes, key=lambda scrape: scrape.ended, reverse=True)
    for scrape in sorted(finished, key=lambda scrape: scrape.began):
        while finished[-1].ended <= scrape.began:
            _raise(highest, finished.pop())
        found += [
            f"{'/'.join(target)} {series} was {highest[target, series]:g}, {scrape.replica} shows {value:g}"
            for target, samples in scrape.totals.items()
            for series, value in samples.items()
            if value < highest.get((target, series), value)
        ]
    return found


def gaps(scrapes: Iterable[Scrape], targets: Iterable[Target], until: float) -> list[Gap]:
    """Return the times between the scrapes that showed each target, from the first one `until` the end."""
    ordered = sorted(scrapes, key=lambda scrape: scrape.ended)
    found = []
    for target in targets:
        times = [scrape.ended for scrape in ordered if target in scrape.totals]
        found += [Gap(target, *pair) for pair in pairwise([*times, until])]
    return found


def too_long(found: Iterable[Gap], faults: Sequence[Fault], usual: float, stalls: Iterable[Stall]) -> list[str]:
    """Return the gaps that are longer than the faults explain. Without a fault they are no longer than `usual`.

    A limit counts from the last fault of a gap, and is the longest one of all its faults. What stalls the test stalls
    the replicas too, so that it does not count.
    """
    wrong, stalls = [], list(stalls)
    for gap in found:
        causes = [fault for fault in faults if gap.began - usual <= fault.at <= gap.ended]
        since = max((gap.began, *(fault.at for fault in causes)))
        stalled = sum(stall.seconds for stall in stalls if since <= stall.at <= gap.ended)
        limit = stalled + max((usual, *(fault.limit for fault in causes)))
        if gap.ended - since > limit:
            what = ", ".join(fault.what for fault in causes) or "no reason"
            wrong.append(f"{'/'.join(gap.target)} was missing for {gap.ended - gap.began:.1f} s after {what}")
    return wrong


def _by_target(scrapes: Iterable[Scrape]) -> Mapping[Target, Mapping[str, Sequence[Scrape]]]:
    """Return for each target the scrapes of each replica that ever showed it, in their order."""
    ordered = sorted(scrapes, key=lambda scrape: scrape.began)
    found: dict[Target, dict[str, list[Scrape]]] = {}
    for replica, target in {(scrape.replica, target) for scrape in ordered for target in scrape.totals}:
        found.setdefault(target, {})[replica] = [scrape for scrape in ordered if scrape.replica == replica]
    return found


def _raise(highest: dict[tuple[Target, Series], float], scrape: Scrape) -> None:
    for target, samples in scrape.totals.items():
        for series, value in samples.items():
            highest[target, series] = max(value, highest.get((target, series), value))
