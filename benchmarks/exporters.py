"""Run the exporter itself in a process that polls the simulator and is scraped."""

from __future__ import annotations

import asyncio
import time
from multiprocessing.connection import Connection

from benchmarks import children, gauges, served
from benchmarks.children import REGION, Readings
from exporter.app import App
from exporter.clock import SystemClock
from exporter.config import Config
from exporter.process.garbage import Garbage

# AWS's limits are the same for every exporter, so they are disabled here, beyond what the configuration allows.
_UNLIMITED = 1e6


def run(pipe: Connection, strategy: str, interval: float, jobs: int) -> None:
    """Send the address for scrapes once every job was read. Respond to requests with the cost so far and the stalls
    since the last request; on "hurry" read every job again at once."""
    rounds = gauges.Rounds()
    gauges.run(_run(pipe, strategy, interval, jobs, rounds), rounds)


async def _run(pipe: Connection, strategy: str, interval: float, jobs: int, rounds: gauges.Rounds) -> None:
    began = time.perf_counter()
    async with App.open(_config(strategy, interval), SystemClock()) as app:
        polling = asyncio.create_task(app.run())
        while app.waiting():
            await asyncio.sleep(0.01)
        ready = time.perf_counter() - began
        setting_aside = asyncio.create_task(Garbage().set_aside_for_ever(SystemClock()))
        while not _all_read(app, jobs):
            await asyncio.sleep(0.01)
        read = time.perf_counter() - began

        async def respond(question: str) -> Readings:
            if question == "hurry":
                return {"cpu": await _hurried(app)}
            costs = {"cpu": time.process_time(), "memory": gauges.resident(), "stalls": rounds.taken()}
            return costs | {"failed": polling.done() or setting_aside.done()}

        async with served.on_free_port(app.board) as bound:
            pipe.send({"port": bound[0][1], "ready": ready, "read": read, "stalls": rounds.taken()})
            await children.answer(pipe, respond)


async def _hurried(app: App) -> float:
    """Return the CPU time of reading every job again, one right after the other."""
    began, at = time.process_time(), time.monotonic()
    fleets = [runner.poller.tracker for runner in app.runners if runner.poller]
    for fleet in fleets:
        for followed in fleet.jobs():
            fleet.read_now(followed.job.name, at)
    while any(followed.due <= at for fleet in fleets for followed in fleet.jobs()):
        await asyncio.sleep(0.05)
    return time.process_time() - began


def _all_read(app: App, jobs: int) -> bool:
    found = [followed for runner in app.runners if runner.poller for followed in runner.poller.tracker.jobs()]
    return len(found) >= jobs and all(followed.read for followed in found)


def _config(strategy: str, interval: float) -> Config:
    polling = {"strategy": strategy, "active_interval": interval, "discovery_interval": interval}
    # Quotas are read twice a day; here they would count as calls of an interval.
    sections = {"polling": polling, "targets": [{"regions": [REGION]}], "quotas": {"interval": "0s"}}
    config = Config.model_validate(sections)
    rates = {"list_rps": _UNLIMITED, "describe_rps": _UNLIMITED, "search_rps": _UNLIMITED}
    return config.model_copy(update={"polling": config.polling.model_copy(update=rates)})
