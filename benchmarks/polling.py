"""Measure polls: the exporter with describe and with search, the afternoon's exporter, and the floor, each with its own
simulator of the same jobs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from statistics import median

from benchmarks import afternoon, children, exporters, floor, served
from benchmarks.children import Child, Readings
from exporter.polling.api import DESCRIBE, SEARCH

_SCRAPES = 5
# More rounds do not change the result of the floor.
_ENOUGH = 2000
# A sweep is over when there was no call for this long.
_QUIET = 0.3


def ours(jobs: int, strategy: str, interval: float) -> Readings:
    """Measure the exporter over one interval without changes, then while it is scraped."""
    with (
        children.simulator(jobs) as (environment, aws),
        children.child(exporters.run, environment, strategy, interval, jobs) as exporter,
    ):
        at_start = aws.ask()
        # By then the jobs are spread over the interval.
        _wait(aws, strategy, 1.5 * interval)
        before, calls = exporter.ask(), aws.ask()
        _wait(aws, strategy, interval)
        after, later = exporter.ask(), aws.ask()
        if after["failed"]:
            raise RuntimeError("the exporter does not poll any more")
        in_interval = _difference(later, calls)
        # A machine that cannot keep up reads fewer jobs than there are.
        read = in_interval[DESCRIBE] if strategy == "describe" else jobs
        hurried = exporter.ask("hurry")["cpu"] if strategy == "describe" else after["cpu"] - before["cpu"]
        exporter.ask()
        scrapes = _scrapes(exporter.first["port"])
        scraping = exporter.ask()
        return {
            "ready_seconds": exporter.first["ready"],
            "read_seconds": exporter.first["read"],
            "calls_start": at_start,
            "calls_interval": in_interval,
            "cpu_per_job": (after["cpu"] - before["cpu"]) / read,
            "cpu_per_job_at_once": hurried / (jobs if strategy == "describe" else read),
            "stalls": {"start": exporter.first["stalls"], "poll": after["stalls"], "scrape": scraping["stalls"]},
            "memory": scraping["memory"],
            **scrapes,
        }


def _wait(aws: Child, strategy: str, seconds: float) -> None:
    """Wait for this long; with search, until the end of a sweep, as sweeps are one interval apart."""
    if strategy == "describe":
        time.sleep(seconds)
        return
    seen = aws.ask()[SEARCH]
    begun = quiet = False
    while not quiet:
        time.sleep(_QUIET)
        calls = aws.ask()[SEARCH]
        begun, quiet, seen = begun or calls != seen, begun and calls == seen, calls


def by_hand(jobs: int, interval: float) -> Readings:
    """Measure the first and the second poll of the afternoon's exporter."""
    with children.simulator(jobs) as (environment, aws), children.child(afternoon.run, environment) as exporter:
        at_start = aws.ask()
        spread = exporter.ask(str(interval))
        calls = aws.ask()
        at_once = exporter.ask("0")
        return {
            "ready_seconds": exporter.first["ready"],
            "read_seconds": exporter.first["ready"],
            "calls_start": at_start,
            "calls_interval": _difference(calls, at_start),
            "cpu_per_job": spread["cpu"] / spread["jobs"],
            "cpu_per_job_at_once": at_once["cpu"] / at_once["jobs"],
            "memory": at_once["memory"],
            **_scrapes(exporter.first["port"]),
        }


def least(jobs: int) -> Readings:
    """Measure the floor."""
    with (
        children.simulator(min(jobs, _ENOUGH)) as (environment, _),
        children.child(floor.run, environment, min(jobs, _ENOUGH)) as calls,
    ):
        return calls.first


def _scrapes(port: int) -> dict[str, float]:
    found = {}
    for kind, gzip in (("plain", False), ("gzip", True)):
        found[f"{kind}_first_seconds"] = served.scrape(port, gzip)[0]
        found[f"{kind}_seconds"] = median(served.scrape(port, gzip)[0] for _ in range(_SCRAPES))
    return found


def _difference(after: Mapping[str, int], before: Mapping[str, int]) -> dict[str, int]:
    counts = {name: count - before.get(name, 0) for name, count in after.items()}
    return {name: count for name, count in counts.items() if count}
