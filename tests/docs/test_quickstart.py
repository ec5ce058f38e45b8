"""Test the first commands of the README, word by word, on a fresh clone.

`make demo` installs into the clone and runs until Ctrl-C; meanwhile the test follows the README. `make test` is not run
here, because it runs this test: CI runs it in a fresh clone, and this module checks that `.ci/run` does so.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.docs.markdown import read
from tests.prometheus import ROOT

PORT = 9841
README = read(ROOT / "README.md")
FIRST, MEANWHILE = (block.text.splitlines() for block in README.blocks[:2])
# Variables that make and coverage pass to their children would affect the make in the clone.
OWN = re.compile(r"MAKE|MFLAGS|COV|VIRTUAL_ENV|PYTHON|PYTEST|AWS_|PROMETHEUS$")


def command(line: str) -> str:
    """Return what a person types: the line without its comment."""
    return line.partition("#")[0].strip()


def taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    return tmp_path / "sagemaker-exporter"


async def shell(line: str, directory: Path) -> asyncio.subprocess.Process:
    """Start a command in its own process group, as in a terminal."""
    return await asyncio.create_subprocess_exec(
        *("bash", "-o", "pipefail", "-c", line),
        cwd=directory,
        env={name: value for name, value in os.environ.items() if not OWN.match(name)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )


async def printed(line: str, directory: Path) -> str:
    process = await shell(line, directory)
    async with asyncio.timeout(60):
        out, _ = await process.communicate()
    assert process.returncode == 0, out.decode()
    return out.decode()


@asynccontextmanager
async def running(line: str, directory: Path, until: str) -> AsyncIterator[None]:
    """Run the command until it has printed the text, yield, then end it with Ctrl-C, which must work at once."""
    process = await shell(line, directory)
    assert process.stdout
    seen = b""
    try:
        async with asyncio.timeout(240):
            while until.encode() not in seen:
                piece = await process.stdout.read(4096)
                assert piece, seen.decode()
                seen += piece
        yield
        os.killpg(process.pid, signal.SIGINT)
        async with asyncio.timeout(60):
            await process.communicate()
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


@pytest.mark.long
@pytest.mark.timeout(360)
async def test_the_readme_word_by_word_on_a_fresh_clone(clone: Path) -> None:
    await printed(f"git clone --quiet --no-hardlinks {ROOT} {clone}", ROOT)
    demo, meanwhile = command(FIRST[0]), MEANWHILE
    urls = re.findall(r"http://localhost:\d+[\w/]*", "\n".join(FIRST))
    if taken(PORT):
        demo = next(span for span in README.spans if span.startswith("make demo ARGS="))
        meanwhile, urls = ([text.replace(str(PORT), "19841") for text in texts] for texts in (meanwhile, urls))
    async with running(demo, clone, "metrics at http://"):
        async with aiohttp.ClientSession() as session:
            for url in [*urls, urls[0].removesuffix("/metrics") + "/"]:
                async with session.get(url) as answer:
                    assert answer.status == 200
            ready = urls[0].removesuffix("/metrics") + "/readyz"
            async with asyncio.timeout(60):
                while (await session.get(ready)).status != 200:
                    await asyncio.sleep(0.2)
        for line in meanwhile:
            assert await printed(line, clone)
    assert "nothing to commit" in await printed("git status", clone)


def test_the_readme_begins_with_the_two_commands() -> None:
    assert [command(line) for line in FIRST] == ["make demo", "make test"]
    assert README.path.read_text().index("make test") < README.path.read_text().index("\n## ")


def test_the_other_command_is_what_ci_runs_on_a_fresh_clone() -> None:
    assert (ROOT / ".ci/run").read_text().rstrip().splitlines()[-1] == command(FIRST[1])
