"""Render the results as Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

from benchmarks import prices, replicated
from benchmarks.formats import duration, size, table

Results = Mapping[str, Any]
_WAYS = {
    "describe": "exporter, describe",
    "search": "exporter, search",
    "afternoon": "boto3, threads, gauges",
}
_INTRODUCTION = """# Performance

Measured by `make bench`, which also writes this page: no number here was typed. What is compared was measured in one
run, each thing in a process of its own, against a simulated SageMaker in another. CPU is that of the process which is
measured, all its threads; it compares better than waiting times, which depend on what else the machine does.
"""
_POLLS = """## Polls

Active jobs that do not change, each polled every {interval:g} s. CPU is for each job and poll: spread over the
interval, as it runs, and all jobs at once, one after the other. A processor that has to wake up for each call is slower
than a busy one, so the first is the larger. "boto3, threads, gauges" is the exporter that one writes in an afternoon:
it lists the running jobs, describes each in a pool of 20 threads and sets labelled gauges of prometheus_client; spread,
it is one thread that does so. AWS's limits play no part here: `polling.*_rps` are out of the way.
"""
_FLOOR = """The floor is the same calls without an SDK: signed by hand, sent by aiohttp, read by orjson, nothing made of
the answer. The exporter retries, finds endpoints, proxies and credentials as any AWS program does, makes records, keeps
totals.
"""
_WAITS = """## Start, memory and stalls

`ready` is when /readyz says so, `read` when every job was read. A stall is the longest computing in which the event
loop gave nobody else a turn, and the 99th percentile of its rounds: at the start (an SDK client is loaded then, in one
go), while it polls, and while it is scraped, plain and gzip. AWS's limits come on top of `ready` and `read`: a target
of 10,000 jobs is found and read by 100 calls of Search, which take 100 s at the default `search_rps: 1`, 20 s at 5.
"""
_SCRAPES = """## Scrapes

Jobs of every kind, half of them running, with all families, tags and some hyperparameters. `generate_latest` is given
the same samples in families that were made before; for gzip its text is compressed at our level. "changed" is the
scrape after those jobs have changed that change within 30 s. The floor joins ready lines, or only compresses. The
first gzip compresses everything; what is above the floor is the joining, and a checksum that is right whatever is
compressed anew later.
"""
_STEPS = """## Parsing

Microseconds of CPU for each job. "exporter" reads the JSON and leaves errors to botocore, "answer to record" makes
what the exporter keeps of a job, which is not done again for an answer that says the same again.
"""
_GROWTH = """## Growth

The exponent of the number of jobs: 0 is constant, 1 as many times more as there are jobs.
"""
_LEDGER = """## Totals

A poll that brings readings of 1,000 jobs, from the readings to the totals on disk; and a state file of 100,000 jobs.
"""


def markdown(results: Results) -> str:
    """Return the report of everything that was measured."""
    parts = [
        _INTRODUCTION,
        table(("", ""), [*results["machine"].items(), ("load before", f"{results['load']:.1f}")]),
    ]
    for name, section in _SECTIONS.items():
        if name in results:
            parts += section(results)
    return "\n".join(parts)


def _polls(results: Results) -> list[str]:
    polls = results["polls"]
    return [
        _POLLS.format(interval=results["interval"]),
        table(
            ("jobs", "", "calls at start", "calls each interval", "CPU spread", "CPU at once", "to boto3"),
            [_poll(jobs, way, found) for jobs, found in polls.items() for way in _WAYS],
        ),
        _FLOOR,
        table(
            ("jobs", "describe", "search", "ours, describe", "ours, search"),
            [_floor(jobs, found) for jobs, found in polls.items()],
        ),
        _WAITS,
        table(
            ("jobs", "", "ready", "read", "memory", "stalls: start", "poll", "scrape"),
            [_wait(jobs, way, found[way]) for jobs, found in polls.items() for way in _WAYS],
        ),
    ]


def _scrapes(results: Results) -> list[str]:
    scrapes = results["scrapes"]
    return [
        _SCRAPES,
        table(
            ("jobs", "samples", "", "CPU", "generate_latest", "faster", "floor"),
            [row for jobs, found in scrapes.items() for row in _scrape(jobs, found)],
        ),
        table(
            ("jobs", "plain", "gzip", "size of gzip", "memory of a job", "memory", "stalls: change", "scrape"),
            [_held(jobs, found) for jobs, found in scrapes.items()],
        ),
        *_growth(results),
    ]


def _poll(jobs: str, way: str, found: Results) -> list[str]:
    one, other = found[way], found["afternoon"]
    ratios = [one[kind] / other[kind] for kind in ("cpu_per_job", "cpu_per_job_at_once")]
    return [
        jobs,
        _WAYS[way],
        _calls(one["calls_start"]),
        _calls(one["calls_interval"]),
        duration(one["cpu_per_job"]),
        duration(one["cpu_per_job_at_once"]),
        "" if way == "afternoon" else " and ".join(f"{ratio:.2f}" for ratio in ratios),
    ]


def _floor(jobs: str, found: Results) -> list[str]:
    floor = found["floor"]
    ours = [found[way]["cpu_per_job_at_once"] / floor[way] for way in ("describe", "search")]
    return [jobs, duration(floor["describe"]), duration(floor["search"]), *(f"{ratio:.1f} times" for ratio in ours)]


def _wait(jobs: str, way: str, one: Results) -> list[str]:
    stalls = [_stall(one["stalls"][when]) for when in ("start", "poll", "scrape")] if "stalls" in one else [""] * 3
    return [
        jobs,
        _WAYS[way],
        duration(one["ready_seconds"]),
        duration(one["read_seconds"]),
        size(one["memory"]["peak"]),
        *stalls,
    ]


def _scrape(jobs: str, found: Results) -> Iterable[list[str]]:
    cpu, latest = found["cpu"], found["latest"]
    both = latest["generate"] + latest["zlib"]
    changed = f"gzip, {found['changed']} jobs changed"
    rows = (
        ("plain", cpu["plain"], latest["generate"], duration(latest["join"])),
        ("gzip, for the first time", cpu["gzip_first"], both, duration(latest["zlib"])),
        (changed, cpu["gzip_changed"], both, ""),
        ("gzip, nothing changed", cpu["gzip_unchanged"], both, ""),
    )
    for kind, ours, theirs, floor in rows:
        yield [
            jobs,
            str(latest["samples"]),
            kind,
            duration(ours),
            duration(theirs),
            f"{theirs / ours:.1f} times",
            floor,
        ]


def _held(jobs: str, found: Results) -> list[str]:
    return [
        jobs,
        duration(found["seconds"]["plain"]),
        duration(found["seconds"]["gzip"]),
        size(found["gzip_bytes"]),
        size(found["bytes_per_job"]),
        size(found["memory"]["peak"]),
        _stall(found["stalls"]["take"]),
        _stall(found["stalls"]["scrape"]),
    ]


def _growth(results: Results) -> list[str]:
    """Return how costs grow: the exponent of the number of jobs, between two sizes."""
    polls, scrapes = results.get("polls", {}), results["scrapes"]
    steps = list(pairwise(scrapes))
    figures = {
        "a poll by describe, CPU": [found["describe"]["cpu_per_job_at_once"] * int(n) for n, found in polls.items()],
        "a poll by search, CPU": [found["search"]["cpu_per_job"] * int(n) for n, found in polls.items()],
        "a plain scrape, CPU": [found["cpu"]["plain"] for found in scrapes.values()],
        "a gzip scrape after changes, CPU": [found["cpu"]["gzip_changed"] for found in scrapes.values()],
        "a gzip scrape, nothing changed, CPU": [found["cpu"]["gzip_unchanged"] for found in scrapes.values()],
        "`generate_latest`, CPU": [found["latest"]["generate"] for found in scrapes.values()],
        "memory": [found["memory"]["now"] for found in scrapes.values()],
    }
    rows = [
        [name, *(f"{_exponent(pair, step):.2f}" for pair, step in zip(pairwise(values), steps, strict=True))]
        for name, values in figures.items()
        if values
    ]
    return [_GROWTH, table(("", *(f"{a} to {b}" for a, b in steps)), rows)] if steps else []


def _exponent(values: tuple[float, float], sizes: tuple[str, str]) -> float:
    return math.log(values[1] / values[0]) / math.log(int(sizes[1]) / int(sizes[0]))


def _steps(results: Results) -> list[str]:
    steps = results["steps"]
    names = list(next(iter(steps.values())))
    rows = [[of, *(f"{found[name] * 1e6:.1f}" for name in names)] for of, found in steps.items()]
    return [_STEPS, table(("", *names), rows)]


def _ledger(results: Results) -> list[str]:
    ledger = results["ledger"]
    kinds = [name.removesuffix("_cpu_seconds") for name in ledger if name.endswith("_cpu_seconds")]
    rows = [
        [f"{kind} jobs", duration(ledger[f"{kind}_wall_seconds"]), duration(ledger[f"{kind}_cpu_seconds"])]
        for kind in kinds
    ]
    file, opening = size(ledger["bytes_per_100000_jobs"]), duration(ledger["open_seconds_per_100000_jobs"])
    return [
        _LEDGER,
        table(("1,000 readings of", "time", "CPU"), rows),
        f"The file has {file}; to open it takes {opening}.\n",
    ]


def _calls(calls: Mapping[str, int]) -> str:
    named = {name: n for name, n in calls.items() if name != "GetCallerIdentity"}
    return ", ".join(f"{n} {name}" for name, n in sorted(named.items()))


def _stall(stall: Mapping[str, float]) -> str:
    return f"{duration(stall['max'])}, {duration(stall['p99'])}"


_SECTIONS = {
    "polls": _polls,
    "scrapes": _scrapes,
    "steps": _steps,
    "ledger": _ledger,
    "prices": prices.section,
    "replicas": replicated.section,
}
