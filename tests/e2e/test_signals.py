"""Test SIGTERM and SIGINT at any time, in any command: it exits soon, with a status and without a traceback."""

from __future__ import annotations

import array
import asyncio
import fcntl
import os
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from exporter.simulator import Fault, Faults, Kind, Simulator, steady
from tests.e2e.exposed import lead_to
from tests.prometheus import ROOT

NUMBERS = [signal.SIGTERM, signal.SIGINT]
# In a separate pid namespace the program is PID 1, as in a container. Without root, this needs a user namespace.
_AS_PID_1 = [
    "unshare",
    *([] if os.geteuid() == 0 else ["--user", "--map-root-user"]),
    "--pid",
    "--fork",
    "--kill-child",
]
_PATIENCE = 30.0


def _until(done: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not done():
        assert time.monotonic() < deadline, what
        time.sleep(0.001)


def _catches(pid: int, number: signal.Signals) -> bool:
    """Return whether a process has a handler for a signal, by the mask that the kernel shows."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)


def _child_of(process: subprocess.Popen[str]) -> int:
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    _until(lambda: bool(children.read_text().split()), "nothing was started")
    return int(children.read_text().split()[0])


@contextmanager
def _started(
    *arguments: str, pid_1: bool = False, module: str = "exporter"
) -> Iterator[tuple[subprocess.Popen[str], int]]:
    command = [*(_AS_PID_1 if pid_1 else []), sys.executable, "-m", module, *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield process, _child_of(process) if pid_1 else process.pid
        finally:
            process.kill()


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("pid_1", [False, True], ids=["", "as PID 1"])
@pytest.mark.parametrize(
    ("command", "interrupted"),
    [
        (["--web.listen-address=127.0.0.1:0"], False),
        (["demo", "--web.listen-address=127.0.0.1:0"], False),
        (["once"], True),
        (["metrics"], True),
        (["check-config", "config.example.yaml"], True),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else None,
)
def test_a_signal_during_the_start_is_obeyed(
    command: list[str], interrupted: bool, pid_1: bool, number: signal.Signals
) -> None:
    with _started(*command, pid_1=pid_1) as (process, pid):
        # Python itself catches SIGINT from its own start on.
        _until(lambda: _catches(pid, signal.SIGTERM), "no handler was installed")
        # Long before the exporter is there.
        assert "pydantic" not in Path(f"/proc/{pid}/maps").read_text()
        os.kill(pid, number)
        out, err = process.communicate(timeout=_PATIENCE)
    assert process.returncode == (128 + number if interrupted else 0)
    assert err == (f"{command[0]}: stopped by {number.name}\n" if interrupted else "")
    assert out == ""


@pytest.mark.parametrize("number", NUMBERS)
async def test_once_ends_while_it_polls(
    number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The polls never finish. The state file is closed cleanly."""
    config = tmp_path / "config.yaml"
    config.write_text(f"state: {{path: {tmp_path}/state.db}}\npolling: {{timeout: 5m}}\n")
    async with Simulator() as sim:
        sim.store.add("123456789012", "us-east-1", *steady(3, time.time() - 600))
        sim.faults = Faults((Fault(Kind.SLOW, operation="DescribeTrainingJob", seconds=600),))
        lead_to(sim, monkeypatch)
        with _started("once", "--config.file", str(config)) as (process, pid):
            while not sim.calls["123456789012", "us-east-1", "DescribeTrainingJob"]:
                assert process.poll() is None
                await asyncio.sleep(0.01)
            os.kill(pid, number)
            out, err = await asyncio.to_thread(process.communicate, timeout=_PATIENCE)
    assert (process.returncode, out, err) == (128 + number, "", f"once: stopped by {number.name}\n")
    assert sorted(os.listdir(tmp_path)) == ["config.yaml", "state.db"]


@pytest.mark.parametrize("number", NUMBERS)
def test_a_command_that_waits_for_a_file_ends(number: signal.Signals, tmp_path: Path) -> None:
    """The file is a named pipe without a writer."""
    fifo = tmp_path / "config.yaml"
    os.mkfifo(fifo)
    with _started("check-config", str(fifo)) as (process, pid):
        _until(lambda: "fifo" in Path(f"/proc/{pid}/wchan").read_text() or _waits(pid), "it does not wait")
        os.kill(pid, number)
        out, err = process.communicate(timeout=_PATIENCE)
    assert (process.returncode, out, err) == (128 + number, "", f"check-config: stopped by {number.name}\n")


@pytest.mark.parametrize("number", NUMBERS)
def test_once_ends_while_nobody_reads_what_it_prints(number: signal.Signals) -> None:
    with _started("metrics") as (process, pid):
        # The pipe holds less than that.
        assert process.stdout
        size = fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, 4096)
        _until(lambda: _in_pipe(process.stdout) == size, "nothing was printed")
        os.kill(pid, number)
        assert process.wait(_PATIENCE) == 128 + number
        assert process.stderr
        assert process.stderr.read() == f"metrics: stopped by {number.name}\n"


@pytest.mark.parametrize("number", NUMBERS)
def test_the_simulator_ends_in_order(number: signal.Signals) -> None:
    with _started("--jobs=1", module="exporter.simulator") as (process, pid):
        _until(lambda: _catches(pid, signal.SIGTERM), "no handler was installed")
        os.kill(pid, number)
        _, err = process.communicate(timeout=_PATIENCE)
    assert (process.returncode, err) == (0, "")


def test_a_reload_that_comes_too_early_ends_nothing() -> None:
    with _started("demo", "--web.listen-address=127.0.0.1:0", "--jobs=1") as (process, pid):
        _until(lambda: _catches(pid, signal.SIGTERM), "no handler was installed")
        os.kill(pid, signal.SIGHUP)
        assert process.stdout
        assert process.stdout.readline().startswith("metrics at ")
        os.kill(pid, signal.SIGTERM)
        assert process.wait(_PATIENCE) == 0


@pytest.mark.parametrize("redirect", ["closed", "full"])
def test_an_announcement_that_cannot_be_written_ends_nothing(redirect: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "exporter", "demo", "--web.listen-address=127.0.0.1:0", "--jobs=1"]
    reader, writer = os.pipe()
    os.close(reader)
    with open("/dev/full", "w") as full, open(tmp_path / "log", "w+") as log:
        out = full.fileno() if redirect == "full" else writer
        with subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=log) as process:
            try:
                _until(lambda: "metrics=http://127.0.0.1:" in Path(log.name).read_text(), "it does not serve")
                assert process.poll() is None
                process.terminate()
                assert process.wait(_PATIENCE) == 0
            finally:
                process.kill()
    os.close(writer)
    assert "Traceback" not in Path(log.name).read_text()


def _waits(pid: int) -> bool:
    """Return whether the program sleeps in open(), by its system call (if the kernel shows it)."""
    return Path(f"/proc/{pid}/syscall").read_text().split()[0] in {"2", "257", "56"}


def _in_pipe(stream: IO[str] | None) -> int:
    assert stream
    held = array.array("i", [0])
    fcntl.ioctl(stream, termios.FIONREAD, held)
    return held[0]
