"""Measure scrapes with jobs of every kind and all families: ours, prometheus_client's, and the floors."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks import children, gauges, latest, samples, served
from benchmarks.children import ACCOUNT, REGION, Readings
from exporter.aws.sagemaker import SAGEMAKER
from exporter.aws.sessions import Sessions
from exporter.catalogue import GROUPS
from exporter.clock import SystemClock
from exporter.exposition.board import Board
from exporter.exposition.labels import NO_KEYS, KeyNames
from exporter.ledger.ledger import Ledger
from exporter.ledger.opening import open_ledger
from exporter.polling.api import Calls
from exporter.polling.display import BoardDisplay
from exporter.polling.failures import RecentFailures
from exporter.polling.health import Health
from exporter.polling.intake import Intake, Updates
from exporter.polling.tracker import Tracker, TrackerTiming
from exporter.process.garbage import Garbage
from exporter.training.cost import RateOf, no_rate
from exporter.training.families import JOBS, JobContext

_TARGET = (ACCOUNT, REGION)
_TIMES = 5
# Responses processed before other tasks run, as many as in a page of Search.
_PAGE = 100


class Tracked:
    """Track jobs as a poller does, without polling. With `rate_of` they have costs."""

    def __init__(self, ledger: Ledger, clock: SystemClock, rate_of: RateOf = no_rate) -> None:
        self._ledger, self._clock = ledger, clock
        self._health = Health("benchmark", Calls(), clock.time)
        self.tracker = Tracker(TrackerTiming(30.0, 120.0, 3600.0))
        failures = RecentFailures(clock.time, 86400.0)
        self._intake = Intake(*_TARGET, samples.ALLOW, self.tracker, self._health, failures)
        self.board = Board(GROUPS)
        names = KeyNames.of(samples.ALLOW.tags), KeyNames.of(samples.ALLOW.hyperparameters)
        self._display = BoardDisplay(self.board, ledger, lambda name: True, JobContext(*names), NO_KEYS, rate_of)

    async def take(self, answers: Iterable[dict[str, Any]]) -> int:
        """Process responses, and return the number of jobs that are new or changed."""
        changed = 0
        page: list[dict[str, Any]] = []
        for answer in answers:
            page.append(answer)
            if len(page) == _PAGE:
                changed += await self._take(page)
                page.clear()
        return changed + await self._take(page)

    async def _take(self, answers: list[dict[str, Any]]) -> int:
        updates, at = Updates.none(), self._clock.monotonic()
        for job in filter(None, map(self._intake.parse, answers)):
            if self.tracker.get(job.name) is None:
                self._intake.track(job, at, updates)
            self._intake.described(job, self._clock.time(), at, updates)
        recorded = await self._ledger.apply(updates.readings)
        for job in updates.jobs.values():
            facts = recorded.get(job.identity)
            self._display.job(job, facts.rates if facts else None)
        self._display.target(_TARGET, self.tracker.counts(), self._health, len(self.tracker))
        await asyncio.sleep(0)
        return len(updates.jobs)


def run(pipe: Connection, path: str) -> None:
    """Send the address for scrapes and the memory of a job. On "change", process the later responses; on "plain" or
    "gzip", send the CPU time of an exposition; otherwise send the stalls since the last request."""
    rounds = gauges.Rounds()
    gauges.run(_run(pipe, Path(path), rounds), rounds)


async def _run(pipe: Connection, path: Path, rounds: gauges.Rounds) -> None:
    clock = SystemClock()
    async with open_ledger("", clock.time) as ledger, Sessions(10.0, 10).client(SAGEMAKER, REGION, None, Calls()):
        tracked = Tracked(ledger, clock)
        Garbage().collect()
        empty = gauges.resident()["now"]
        await tracked.take(samples.now(path))
        held = gauges.resident()["now"] - empty

        async def respond(question: str) -> Readings:
            if question == "change":
                changed = list(samples.changed(path))
                await asyncio.sleep(0)
                rounds.taken()
                return {"changed": await tracked.take(changed)}
            if question:
                return await exposed(tracked.board, gzip=question == "gzip")
            return {"stalls": rounds.taken(), "memory": gauges.resident()}

        async with served.on_free_port(tracked.board) as bound:
            rounds.taken()
            shown = await _samples(tracked.board)
            pipe.send({"port": bound[0][1], "bytes_per_job": held / len(tracked.tracker), "samples": shown})
            await children.answer(pipe, respond)


async def _samples(board: Board) -> int:
    """Return the number of samples of jobs. Each piece ends at the end of a line."""
    names = {family.name.encode() for family in JOBS.families}
    pieces = board.metrics(openmetrics=False, gzip=False)
    return sum([sum(line.partition(b"{")[0] in names for line in piece.splitlines()) async for piece in pieces])


async def exposed(board: Board, gzip: bool) -> Readings:
    began = time.process_time()
    size = 0
    async for piece in board.metrics(openmetrics=False, gzip=gzip):
        size += len(piece)
    return {"cpu": time.process_time() - began, "bytes": size}


def measure(jobs: int) -> Readings:
    """Measure the CPU time of every kind of scrape, the time that a client waits, and the memory."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "jobs")
        samples.write(path, jobs)
        with children.child(run, {}, str(path)) as exporter:
            first = exporter.ask("gzip")
            cpu = {
                "gzip_first": first["cpu"],
                "gzip_unchanged": median(exporter.ask("gzip")["cpu"] for _ in range(_TIMES)),
                "plain": median(exporter.ask("plain")["cpu"] for _ in range(_TIMES)),
            }
            changed = exporter.ask("change")["changed"]
            taking = exporter.ask()["stalls"]
            cpu["gzip_changed"] = exporter.ask("gzip")["cpu"]
            waits = {
                "plain": median(served.scrape(exporter.first["port"], gzip=False)[0] for _ in range(_TIMES)),
                "gzip": median(served.scrape(exporter.first["port"], gzip=True)[0] for _ in range(_TIMES)),
            }
            scraping = exporter.ask()
        with children.child(latest.run, {}, str(path)) as other:
            theirs = other.first
    return {
        "cpu": cpu,
        "seconds": waits,
        "changed": changed,
        "samples": exporter.first["samples"],
        "gzip_bytes": first["bytes"],
        "bytes_per_job": exporter.first["bytes_per_job"],
        "memory": scraping["memory"],
        "stalls": {"take": taking, "scrape": scraping["stalls"]},
        "latest": theirs,
    }
