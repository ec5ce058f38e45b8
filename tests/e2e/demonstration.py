"""Run `sagemaker-exporter demo` in a separate process, as a user does."""

from __future__ import annotations

import gzip
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from tests.prometheus import ROOT

_ANNOUNCED = re.compile(r"metrics at (http://127\.0\.0\.1:\d+)/metrics, status at \1/\n")


class Answer(NamedTuple):
    """Hold an HTTP response, decompressed."""

    status: int
    content_type: str
    encoding: str
    text: str


class Demonstration(NamedTuple):
    """Query a running demo at `url`; its log is in a file."""

    url: str
    process: subprocess.Popen[str]
    log: Path

    @property
    def address(self) -> str:
        return self.url.removeprefix("http://")

    def get(self, path: str, method: str = "GET", **headers: str) -> Answer:
        """Send one request; headers are written with _ for -."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            with urlopen(Request(self.url + path, headers=named, method=method), timeout=60) as response:
                status, its, body = response.status, response.headers, response.read()
        except HTTPError as error:
            with error:
                status, its, body = error.code, error.headers, error.read()
        encoding = its.get("Content-Encoding", "")
        text = gzip.decompress(body) if encoding == "gzip" else body
        return Answer(status, its.get("Content-Type", ""), encoding, text.decode())

    def wait_until_ready(self, within: float = 90.0) -> None:
        """Wait until every target has been polled."""
        deadline = time.monotonic() + within
        while (answer := self.get("/readyz")).status != 200:
            assert time.monotonic() < deadline, f"{answer.text}\n{self.log.read_text()}"
            time.sleep(0.05)


@contextmanager
def demonstration(directory: Path, *flags: str) -> Iterator[Demonstration]:
    """Run a demo: yield once it listens, and stop it at the end."""
    log = directory / "demo.log"
    command = [sys.executable, "-m", "exporter", "demo", "--web.listen-address", "127.0.0.1:0", *flags]
    with (
        log.open("w") as errors,
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True) as process,
    ):
        try:
            said = process.stdout.readline() if process.stdout else ""
            found = _ANNOUNCED.fullmatch(said)
            assert found, f"said {said!r}\n{log.read_text()}"
            yield Demonstration(found[1], process, log)
        finally:
            process.kill()
