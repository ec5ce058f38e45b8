"""Follow "Without Docker" of docs/getting-started.md word by word, and measure each step: `make getting-started`.

It starts with a clone of this checkout, and ends when an alert fires and every query of every dashboard has had data.
The table of the document gets the durations.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import urlopen

from tests.deploy import boards
from tests.ports import free_port
from tests.prometheus import ROOT, programs

DOCUMENT = ROOT / "docs/getting-started.md"
SECTION = "## Without Docker\n"
DASHBOARDS = "Look at the dashboards"
_STEP = re.compile(r"^### \d+\. (.+)\n", re.MULTILINE)
_COMMANDS = re.compile(r"(?:^    .+\n)+", re.MULTILINE)
_FILE = re.compile(r"^```yaml\n# (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ROW = r"(?m)^(\| {} \|).*$"
# What runs until it is ended, and what is repeated until it prints something.
_SERVES = re.compile(r"(sagemaker-exporter demo|prometheus) ")
_ASKS = re.compile(r"(curl|promtool query) ")
# Settings of whoever runs this that the commands must not see.
_OWN = re.compile(r"MAKE|MFLAGS|COV|VIRTUAL_ENV|PYTHON|PYTEST|AWS_")
# All in seconds.
_PATIENCE, _PAUSE = 600.0, 0.5
_ALL = {
    "__range": "15m",
    "__range_s": "900",
    "__rate_interval": "2m",
    "account": ".*",
    "region": ".*",
    "instance_type": ".*",
    "team": ".*",
    "job": ".+",
}


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the document: its title, the files that it shows, and its commands."""

    title: str
    files: tuple[tuple[str, str], ...]
    commands: tuple[str, ...]


def steps() -> list[Step]:
    """Return the steps of the section."""
    section = DOCUMENT.read_text().partition(SECTION)[2].partition("\n## ")[0]
    _, *parts = _STEP.split(section)
    return [_step(title, text) for title, text in zip(parts[::2], parts[1::2], strict=True)]


def _step(title: str, text: str) -> Step:
    blocks = re.sub(r"\\\n +", "", "".join(_COMMANDS.findall(text)))
    return Step(title, tuple(_FILE.findall(text)), tuple(line.strip() for line in blocks.splitlines()))


class Walk:
    """Follows the steps in a clone, on free ports. `hurried` shortens the intervals of Prometheus to a second."""

    def __init__(self, clone: Path, hurried: bool) -> None:
        self._clone, self._hurried = clone, hurried
        self._exporter, self._prometheus = free_port(), free_port()
        self._serving: dict[str, asyncio.subprocess.Process] = {}

    async def durations(self) -> dict[str, float]:
        """Return how many seconds each step took. Raises RuntimeError for a command that fails."""
        await self._run(f"git clone --quiet --no-hardlinks {ROOT} {self._clone}", ROOT)
        self._edit()
        found = {}
        async with AsyncExitStack() as servers:
            for step in steps():
                began = time.monotonic()
                async with asyncio.timeout(_PATIENCE):
                    await self._follow(step, servers)
                found[step.title] = time.monotonic() - began
        return found

    def _edit(self) -> None:
        for file in (self._clone / "deploy/prometheus").glob("*.yml"):
            text = file.read_text().replace("localhost:9841", f"localhost:{self._exporter}")
            if self._hurried:
                text = re.sub(r"(interval|scrape_timeout): \d+[ms]", r"\1: 1s", text)
            file.write_text(text)

    async def _follow(self, step: Step, servers: AsyncExitStack) -> None:
        for name, text in step.files:
            (self._clone / name).write_text(text)
        for command in map(self._here, step.commands):
            if _SERVES.search(command):
                process = await _shell(f"exec {command} > {_log(command)} 2>&1", self._clone)
                self._serving[command] = process
                servers.push_async_callback(_end, process)
            elif _ASKS.search(command):
                while not await self._answers(command):
                    self._all_serve()
                    await asyncio.sleep(_PAUSE)
            else:
                await self._run(command, self._clone)
        if step.title == DASHBOARDS:
            await self._see_every_query()

    def _here(self, command: str) -> str:
        """Return the command with the ports of this walk."""
        port = self._exporter if "sagemaker-exporter demo" in command else self._prometheus
        if _SERVES.search(command):
            return f"{command} --web.listen-address=127.0.0.1:{port}"
        return command.replace(":9841", f":{self._exporter}").replace(":9090", f":{self._prometheus}")

    async def _run(self, command: str, folder: Path) -> None:
        process = await _shell(command, folder)
        out, _ = await process.communicate()
        if process.returncode:
            raise RuntimeError(f"{command} ended with {process.returncode}\n{out.decode()}")

    def _all_serve(self) -> None:
        """Raise RuntimeError if a command has ended that should serve."""
        for command, process in self._serving.items():
            if process.returncode is not None:
                log = (self._clone / _log(command)).read_text()
                raise RuntimeError(f"{command} ended with {process.returncode}\n{log[-2000:]}")

    async def _answers(self, command: str) -> bool:
        process = await _shell(command, self._clone)
        out, _ = await process.communicate()
        return process.returncode == 0 and bool(out.strip())

    async def _see_every_query(self) -> None:
        missing = [query for uid in boards.BOARDS for query in boards.of_panels(uid)]
        while missing := [query for query in missing if not await asyncio.to_thread(self._has_data, query.expr)]:
            await asyncio.sleep(_PAUSE)

    def _has_data(self, expr: str) -> bool:
        # No single job has every series.
        query = boards.filled(expr.replace('="$job"', '=~"$job"'), _ALL)
        url = f"http://127.0.0.1:{self._prometheus}/api/v1/query?{urlencode({'query': query})}"
        with urlopen(url, timeout=30) as answer:
            return bool(json.load(answer)["data"]["result"])


def _log(command: str) -> str:
    return "exporter.log" if "sagemaker-exporter" in command else "prometheus.log"


async def _shell(command: str, folder: Path) -> asyncio.subprocess.Process:
    environment = {name: value for name, value in os.environ.items() if not _OWN.match(name)}
    if folder_of_prometheus := programs():
        environment["PATH"] = f"{environment['PATH']}{os.pathsep}{folder_of_prometheus}"
    return await asyncio.create_subprocess_shell(
        command,
        cwd=folder,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
    await process.communicate()


def documented() -> dict[str, str]:
    """Return the duration of each step that the document says."""
    section = DOCUMENT.read_text().partition(SECTION)[2].partition("\n### ")[0]
    rows = re.findall(r"(?m)^\| ([^|]+) \| ([^|]+) \|$", section)
    return dict(rows[1:])


def write(durations: dict[str, float]) -> None:
    """Write the durations into the table of the document."""
    text = DOCUMENT.read_text()
    for title, seconds in durations.items():
        said = f"{seconds:.0f} s" if seconds >= 1 else "under 1 s"
        text = re.sub(_ROW.format(re.escape(title)), rf"\1 {said} |", text)
    DOCUMENT.write_text(text)


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        durations = asyncio.run(Walk(Path(folder) / "sagemaker-exporter", hurried=False).durations())
    write(durations)
    print("\n".join(f"{title}: {seconds:.0f} s" for title, seconds in durations.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
