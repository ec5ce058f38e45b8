"""Implement `python -m benchmarks`: measure everything, print it, and write it as JSON and optionally as Markdown."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import formats, ledger, machine, parsing, polling, prices, replicas, report, scrapes

_PRICED_JOBS = 1000
_PARTS = ["polls", "scrapes", "steps", "ledger", "prices", "replicas"]


def main(arguments: list[str] | None = None) -> None:
    """Run the benchmarks, which takes about eleven minutes with the defaults."""
    options = _parser().parse_args(arguments)
    if options.read:
        results = json.loads(options.read.read_text())
    else:
        results = _measured(options.parts, options.jobs, options.interval, options.targets)
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(json.dumps(results, indent=2) + "\n")
    text = report.markdown(results)
    sys.stdout.write(text)
    if options.document:
        before = options.document.read_text() if options.document.exists() else ""
        options.document.write_text(formats.updated(before, text) if options.parts != _PARTS else text)


def _measured(parts: list[str], sizes: list[int], interval: float, targets: int) -> dict[str, Any]:
    results: dict[str, Any] = {"machine": machine.described(), "load": machine.load(), "interval": interval}
    measures: dict[str, Callable[[], Any]] = {
        "polls": lambda: {str(jobs): _polls(jobs, interval) for jobs in sizes},
        "scrapes": lambda: {str(jobs): _scrapes(jobs) for jobs in sizes},
        "steps": parsing.measure,
        "ledger": lambda: asyncio.run(ledger.measure()),
        "prices": lambda: prices.measure(_PRICED_JOBS, interval),
        "replicas": lambda: asyncio.run(replicas.measure(targets, interval)),
    }
    return results | {part: measures[part]() for part in parts}


def _polls(jobs: int, interval: float) -> dict[str, Any]:
    _say(f"{jobs} jobs: polls by describe, by search, by hand, and the floor")
    return {
        "describe": polling.ours(jobs, "describe", interval),
        "search": polling.ours(jobs, "search", interval),
        "afternoon": polling.by_hand(jobs, interval),
        "floor": polling.least(jobs),
    }


def _scrapes(jobs: int) -> dict[str, Any]:
    _say(f"{jobs} jobs: scrapes")
    return scrapes.measure(jobs)


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="What a poll and a scrape cost, beside what they would cost otherwise.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--jobs", type=_sizes, default="100,1000,10000", help="numbers of jobs, separated by commas")
    add("--parts", nargs="+", choices=_PARTS, default=_PARTS, help="what to measure")
    add("--interval", type=float, default=15.0, help="seconds between two polls of a job")
    add("--targets", type=int, default=300, help="number of targets that replicas share, at most 300")
    add("--output", type=Path, default=Path("build/bench.json"), help="where to write the results")
    add(
        "--document",
        type=Path,
        help="a report, such as docs/performance.md, to write what was measured into",
    )
    add("--read", type=Path, help="report the results in this file instead of measuring")
    return parser


def _sizes(text: str) -> list[int]:
    return sorted({max(2, int(size)) for size in text.split(",")})


if __name__ == "__main__":
    main()
