"""Run a real Prometheus for tests: start it on a free port, query its API, and stop it at the end."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import aiohttp

ROOT = Path(__file__).resolve().parent.parent
STARTS_WITHIN = 60.0
STOPS_WITHIN = 2.0

_FLAGS = (
    "--config.file=prometheus.yml",
    "--storage.tsdb.path=data",
    "--web.listen-address=127.0.0.1:0",
)
_LISTENING = re.compile(r'msg="Listening on" .*?address=(\S+)')

Answer = TypeVar("Answer")
Outcome = subprocess.CompletedProcess[str]


class Sample(NamedTuple):
    """Hold one element of an instant vector."""

    labels: dict[str, str]
    value: float


class Series(NamedTuple):
    """Hold one element of a range vector; points are (Unix seconds, value)."""

    labels: dict[str, str]
    points: list[tuple[float, float]]


def programs() -> Path | None:
    """Return the folder with prometheus and promtool that hack/prometheus.sh would find without downloading them."""
    named = os.environ.get("PROMETHEUS")
    on_path = shutil.which("prometheus")
    folders = [Path(named)] if named else [ROOT / ".cache/prometheus/usr/bin"]
    if on_path and not named:
        folders.append(Path(on_path).parent)
    return next((f for f in folders if (f / "prometheus").is_file() and (f / "promtool").is_file()), None)


def scraping(*targets: str, interval: str = "500ms", job: str = "sagemaker", extra: str = "") -> str:
    """Return a configuration that scrapes these `host:port`; `extra` is more YAML for its top level."""
    times = f"scrape_interval: {interval}, scrape_timeout: {interval}, evaluation_interval: {interval}"
    static = f"static_configs: [{{targets: {json.dumps(targets)}}}]"
    return f"global: {{{times}}}\nscrape_configs: [{{job_name: {job}, {static}}}]\n{extra}\n"


class Prometheus:
    """Query a running Prometheus through its HTTP API."""

    def __init__(self, url: str, log: Path, session: aiohttp.ClientSession) -> None:
        self.url = url
        self._log = log
        self._session = session

    async def api(self, path: str, **parameters: str | float) -> Any:
        """Return the `data` of /api/v1/PATH. Raises AssertionError with Prometheus's message if it returns an error."""
        async with self._session.get(f"{self.url}/api/v1/{path}", params=parameters) as response:
            answer = await response.json()
        assert answer["status"] == "success", f"{path} {parameters}: {answer.get('error')}"
        return answer["data"]

    async def query(self, expr: str, time: float | None = None) -> list[Sample]:
        """Return the instant vector (a scalar has no labels) at `time`, in Unix seconds, or now."""
        at = {} if time is None else {"time": time}
        data = await self.api("query", query=expr, **at)
        if data["resultType"] == "scalar":
            return [Sample({}, float(data["result"][1]))]
        return [Sample(each["metric"], float(each["value"][1])) for each in data["result"]]

    async def query_range(self, expr: str, start: float, end: float, step: float) -> list[Series]:
        """Return the range vector between two times, all in seconds."""
        data = await self.api("query_range", query=expr, start=start, end=end, step=step)
        return [Series(each["metric"], _points(each["values"])) for each in data["result"]]

    async def metrics(self) -> str:
        """Return the server's own metrics."""
        async with self._session.get(f"{self.url}/metrics") as response:
            return await response.text()

    async def targets(self) -> list[dict[str, Any]]:
        """Return the active targets with `health`, `lastError` and `lastScrapeDuration`."""
        active: list[dict[str, Any]] = (await self.api("targets", state="active"))["activeTargets"]
        return active

    async def wait_until(self, question: Callable[[], Awaitable[Answer]], within: float = 60.0) -> Answer:
        """Poll until the result is truthy, and return it: `await p.wait_until(lambda: p.query("up == 1"))`.

        After `within` seconds, raise AssertionError with the last result, scrape errors and the end of the log.
        """
        deadline = time.monotonic() + within
        while not (answer := await question()):
            if time.monotonic() > deadline:
                errors = [target["lastError"] for target in await self.targets()]
                found = f"last answer: {answer!r}; scrape errors: {errors}"
                raise AssertionError(f"not within {within} s; {found}\n{_tail(self._log)}")
            await asyncio.sleep(0.05)
        return answer


def promtool(*arguments: str | Path, stdin: str | bytes = "") -> Outcome:
    """Run promtool, and return its returncode, stdout and stderr."""
    folder = programs()
    assert folder, "promtool is missing: hack/prometheus.sh"
    text = stdin.decode() if isinstance(stdin, bytes) else stdin
    command = [folder / "promtool", *arguments]
    return subprocess.run(command, input=text, capture_output=True, text=True, timeout=240, check=False)


@asynccontextmanager
async def running(config: str, directory: Path, *flags: str) -> AsyncIterator[Prometheus]:
    """Run Prometheus with this configuration. Paths in it are relative to `directory`, which also holds its data.

    The first scrape comes 5 s after the start, whatever the interval is, because Prometheus updates its targets so
    often.
    """
    folder = programs()
    assert folder, "prometheus is missing: hack/prometheus.sh"
    (directory / "prometheus.yml").write_text(config)
    log = directory / "prometheus.log"
    with log.open("wb") as sink:
        process = await asyncio.create_subprocess_exec(
            folder / "prometheus", *_FLAGS, *flags, cwd=directory, stderr=sink, stdout=sink
        )
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
            async with asyncio.timeout(STARTS_WITHIN):
                url = f"http://{await _address(process, log)}"
                await _ready(session, url)
            yield Prometheus(url, log, session)
    finally:
        await _stop(process)


async def _address(process: asyncio.subprocess.Process, log: Path) -> str:
    """Return the address from the log. The kernel picks the port, so that tests cannot collide."""
    while not (found := _LISTENING.search(_read(log))):
        assert process.returncode is None, f"prometheus ended with {process.returncode}\n{_tail(log)}"
        await asyncio.sleep(0.02)
    return found[1]


async def _ready(session: aiohttp.ClientSession, url: str) -> None:
    while True:
        async with session.get(f"{url}/-/ready") as response:
            if response.status == 200:
                return
        await asyncio.sleep(0.02)


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOPS_WITHIN)
    except TimeoutError:
        process.kill()
        await process.wait()


def _read(log: Path) -> str:
    return log.read_text(errors="replace")


def _tail(log: Path) -> str:
    return "\n".join(_read(log).splitlines()[-15:])


def _points(values: list[tuple[float, str]]) -> list[tuple[float, float]]:
    return [(at, float(value)) for at, value in values]
