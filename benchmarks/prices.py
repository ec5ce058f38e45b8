"""Measure what prices add to a poll and to a scrape: the same responses and scrapes with and without them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from fractions import Fraction
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks import children, gauges, polling, samples
from benchmarks.children import Readings
from benchmarks.formats import duration, table
from benchmarks.scrapes import Tracked, exposed
from exporter.clock import SystemClock
from exporter.ledger.opening import open_ledger
from exporter.process.garbage import Garbage
from exporter.training.cost import Rate, no_rate

_RATE = Rate(Fraction("1.2345"), "USD")
# How fast a process joins text depends on where its memory lies, so that several are compared.
_TIMES, _PROCESSES = 15, 4
_TEXT = """## Prices

What prices add, for {jobs} jobs of every kind; the least of {times} runs in each of {processes} processes. A poll is a
describe of an active job, as it is measured above; of it, prices concern only what is done with the answer. The answer
of an unchanged job says the same again, as nearly all do. A plain scrape differs by a third from process to process; by
turns in one process, the medians were 3 % apart, and then equal.
"""


def run(pipe: Connection, path: str, priced: bool) -> None:
    """Send the CPU time of taking the responses in the file, for the first time and again, and of scrapes."""
    gauges.run(_run(pipe, Path(path), priced), gauges.Rounds())


async def _run(pipe: Connection, path: Path, priced: bool) -> None:
    clock, rate_of = SystemClock(), (lambda *_: _RATE) if priced else no_rate
    async with open_ledger("", clock.time) as ledger:
        ledger.rate_of = rate_of if priced else None
        tracked, answers = Tracked(ledger, clock, rate_of), list(samples.now(path))
        first = await _taken(tracked, answers)
        Garbage().collect()
        again = [await _taken(tracked, answers) for _ in range(_TIMES)]
        found: Readings = {"first": first / len(answers), "again": min(again) / len(answers)}
        for kind, gzip in (("plain", False), ("gzip", True)):
            await exposed(tracked.board, gzip)
            costs = [await exposed(tracked.board, gzip) for _ in range(_TIMES)]
            found[kind] = min(cost["cpu"] for cost in costs)
            found[f"{kind}_bytes"] = costs[0]["bytes"]
        pipe.send(found)


async def _taken(tracked: Tracked, answers: list[dict[str, Any]]) -> float:
    began = time.process_time()
    await tracked.take(answers)
    return time.process_time() - began


def measure(jobs: int, interval: float) -> dict[str, Any]:
    """Measure both, and a poll that includes the call."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "jobs")
        samples.write(path, jobs)
        found: dict[str, Any] = {}
        for _ in range(_PROCESSES):
            for name, priced in (("without", False), ("with", True)):
                with children.child(run, {}, str(path), priced) as child:
                    found[name] = _least(found.get(name), child.first)
    poll = polling.ours(jobs, "describe", interval)["cpu_per_job_at_once"]
    return {"jobs": jobs, "poll": poll, **found}


def _least(some: Readings | None, more: Readings) -> Readings:
    return more if some is None else {key: min(some[key], value) for key, value in more.items()}


def section(results: Mapping[str, Any]) -> list[str]:
    """Return the section of the report."""
    found = results["prices"]
    without, with_ = found["without"], found["with"]
    rows = []
    for name, key, whole in (
        ("a new job", "first", found["poll"]),
        ("an unchanged job", "again", found["poll"]),
        ("a scrape, plain", "plain", without["plain"]),
        ("a scrape, gzip", "gzip", without["gzip"]),
    ):
        added = with_[key] - without[key]
        share = f"{added / whole:+.1%}"
        rows.append((name, duration(without[key]), duration(with_[key]), share, "poll" if "job" in name else "scrape"))
    return [
        _TEXT.format(jobs=found["jobs"], times=_TIMES, processes=_PROCESSES),
        table(("", "CPU without prices", "CPU with prices", "added", "to a whole"), rows),
        f"A scrape has {with_['plain_bytes'] / without['plain_bytes'] - 1:+.1%} of text with prices.\n",
    ]
