"""Measure replicas: a transaction in PostgreSQL beside one in a state file, and many targets over three processes."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp
import psycopg

from benchmarks.ledger import KINDS, TARGET, one_poll
from benchmarks.trips import Trips
from exporter.ledger.ledger import Ledger
from exporter.ledger.opening import open_ledger
from exporter.ledger.postgres import PostgresStore
from exporter.ledger.shared import SharedLedger
from tests import postgres

_START = 1_700_000_000.0
_GROUP, _POLLS = 1, 5
_JOBS, _REPLICAS = 3, 3
# Long enough for three processes that start on a busy machine.
_PATIENCE = 300.0
_TICKS = os.sysconf("SC_CLK_TCK")
_HELD = re.compile(r"^sagemaker_exporter_target_held\{.*\} 1(?:\.0)?$", re.MULTILINE)
_CONFIG = """
web: {{listen_address: "127.0.0.1:0"}}
polling: {{discovery_interval: {interval:g}s, active_interval: {interval:g}s, max_concurrency: 50}}
targets: [{{regions: [{regions}]}}]
quotas: {{interval: 0s}}
prices: {{source: none}}
state: {{{state}}}
"""
Figures = dict[str, Any]


async def measure(targets: int, interval: float) -> Figures:
    """Return what transactions cost in both stores, and targets in one process and over replicas."""
    programs = postgres.programs()
    if programs is None:
        raise FileNotFoundError("PostgreSQL is not here: hack/postgres.sh finds or downloads it")
    with postgres.running(programs) as server, tempfile.TemporaryDirectory() as folder:
        with server.database() as url:
            version = _version(url)
            transactions = await _transactions(url, Path(folder))
        with server.database() as url:
            many = await _targets(targets, interval, f'url: "{url}"', _REPLICAS, Path(folder), url)
        one = await _targets(targets, interval, f'path: "{folder}/one.db"', 1, Path(folder), "")
    return {
        "postgres": version,
        "number": targets,
        "jobs": _JOBS,
        "interval": interval,
        "transactions": transactions,
        "targets": {"one": one, "replicas": many},
    }


async def _transactions(url: str, folder: Path) -> Figures:
    trips = Trips(folder / "trace")

    def store(now: float) -> PostgresStore:
        return PostgresStore(url, "the database", "", now, trips.connect)

    shared = SharedLedger(store, lambda: (_START, _START))
    async with shared, open_ledger(str(folder / "state.db"), lambda: _START) as file:
        await shared.look(_GROUP)
        await shared.hold(TARGET)
        with psycopg.connect(url, autocommit=True) as admin:
            query = "SELECT pid FROM pg_stat_activity WHERE application_name = 'sagemaker-exporter'"
            (backend,) = (int(pid) for (pid,) in admin.execute(query))
        return {
            kind: {
                "sqlite": await _polls(file, step),
                "postgres": await _polls(shared, step, trips, backend),
            }
            for kind, step in KINDS
        }


async def _polls(ledger: Ledger, step: int, trips: Trips | None = None, backend: int | None = None) -> Figures:
    """Return the medians of a poll of 1,000 jobs."""
    found: list[Figures] = []
    for poll in range(_POLLS):
        server = _cpu(backend) if backend else 0.0
        if trips:
            trips.taken()
        figures: Figures = await one_poll(ledger, poll, step)
        if trips and backend:
            # The server counts its CPU in hundredths of a second: the mean is more exact than the median.
            figures |= {"trips": trips.taken(), "server": _cpu(backend) - server}
        found.append(figures)
    mean = {"server": sum(one["server"] for one in found) / len(found)} if backend else {}
    return {name: median(one[name] for one in found) for name in found[0]} | mean


async def _targets(number: int, interval: float, state: str, processes: int, folder: Path, url: str) -> Figures:
    regions = [f"us-{a}{b}-1" for a in "abcdefghijklmnopqrst" for b in "abcdefghijklmno"][:number]
    config = folder / "config.yaml"
    config.write_text(_CONFIG.format(interval=interval, regions=", ".join(regions), state=state))
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession())
        aws = await stack.enter_async_context(_simulator(regions))
        began = time.perf_counter()
        running = [await stack.enter_async_context(_exporter(config, aws)) for _ in range(processes)]
        await _until_held(http, number, running)
        for one in running:
            await _until_ready(http, one)
        figures: Figures = {"read_seconds": time.perf_counter() - began}
        # By then the jobs are spread over the interval.
        await asyncio.sleep(2 * interval)
        before, commits, began = [one.cpu() for one in running], _commits(url), time.perf_counter()
        await asyncio.sleep(2 * interval)
        seconds = time.perf_counter() - began
        figures |= {
            "cpu": [(one.cpu() - cpu) / seconds for one, cpu in zip(running, before, strict=True)],
            "commits": (_commits(url) - commits) / seconds,
            "memory": [one.memory() for one in running],
            "held": [await _held(http, one) for one in running],
        }
        if processes > 1:
            running[0].process.kill()
            killed = time.perf_counter()
            await _until_held(http, number, running[1:])
            figures["takeover_seconds"] = time.perf_counter() - killed
        return figures


@dataclass(frozen=True, slots=True)
class _Running:
    process: asyncio.subprocess.Process
    url: str

    def cpu(self) -> float:
        return _cpu(self.process.pid)

    def memory(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return float(re.findall(r"VmRSS:\s+(\d+) kB", status)[0]) * 1024


@asynccontextmanager
async def _simulator(regions: Sequence[str]) -> AsyncIterator[str]:
    arguments = ["-m", "exporter.simulator", "--jobs", "0", "--steady", str(_JOBS), "--regions", ",".join(regions)]
    async with _process({}, *arguments) as (_, line):
        yield re.findall(r"http://\S+", line)[0]


@asynccontextmanager
async def _exporter(config: Path, aws: str) -> AsyncIterator[_Running]:
    environment = {
        "AWS_ENDPOINT_URL": aws,
        "AWS_ACCESS_KEY_ID": "AKIA123456789012TEST",
        "AWS_SECRET_ACCESS_KEY": "none",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    arguments = ["-m", "exporter", "--config.file", str(config), "--log.level", "error"]
    async with _process(environment, *arguments) as (process, line):
        yield _Running(process, line.split()[2].rstrip(","))


@asynccontextmanager
async def _process(
    environment: dict[str, str], *arguments: str
) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """Run Python during the block; yield the process and the first line that it prints."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, env={**os.environ, **environment}, stdout=asyncio.subprocess.PIPE
    )
    try:
        line = await process.stdout.readline() if process.stdout else b""
        yield process, line.decode()
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _until_held(http: aiohttp.ClientSession, number: int, running: Sequence[_Running]) -> None:
    async with asyncio.timeout(_PATIENCE):
        while sum([await _held(http, one) for one in running]) != number:
            await asyncio.sleep(0.2)


async def _until_ready(http: aiohttp.ClientSession, one: _Running) -> None:
    async with asyncio.timeout(_PATIENCE):
        while True:
            async with http.get(one.url.replace("/metrics", "/readyz")) as response:
                if response.status == 200:
                    return
            await asyncio.sleep(0.2)


async def _held(http: aiohttp.ClientSession, one: _Running) -> int:
    async with http.get(one.url) as response:
        return len(_HELD.findall(await response.text()))


def _cpu(process: int) -> float:
    """Return the seconds of CPU of a process so far."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _version(url: str) -> str:
    with psycopg.connect(url) as admin:
        return str(admin.info.server_version // 10000)


def _commits(url: str) -> int:
    """Return the transactions of a database so far, 0 without one."""
    if not url:
        return 0
    with psycopg.connect(url, autocommit=True) as admin:
        query = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
        (commits,) = admin.execute(query).fetchone() or (0,)
        return int(commits)
