"""Run a real PostgreSQL for tests: as an ordinary user, on a Unix socket and a free port, in a folder of its own."""

from __future__ import annotations

import os
import pwd
import secrets
import select
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from tests.ports import free_port

ROOT = Path(__file__).resolve().parent.parent
USER = "exporter"
# The server refuses to run as root; these accounts are on every Debian.
_ACCOUNTS = ("postgres", "nobody")
# What is written survives a kill of the server without these; only a power cut would need them.
_SETTINGS = "-c fsync=off -c full_page_writes=off -c shared_buffers=16MB -c max_connections=60"
_WITHIN = "30"
_PROGRAMS = ("initdb", "pg_ctl", "postgres", "pg_basebackup")


def programs() -> Path | None:
    """Return the folder with initdb and pg_ctl that hack/postgres.sh would find without downloading them."""
    named, on_path = os.environ.get("POSTGRES"), shutil.which("pg_ctl")
    installed = [*Path("/usr/lib/postgresql").glob("*/bin"), *([Path(on_path).parent] if on_path else [])]
    cached = ROOT.glob(".cache/postgresql/usr/lib/postgresql/*/bin")
    folders = [Path(named)] if named else [*installed, *cached]
    return next((folder for folder in folders if all((folder / name).exists() for name in _PROGRAMS)), None)


class Server:
    """A server that is started, stopped and killed at will."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs, self._folder, self._data = programs, folder, folder / "data"
        self.port = free_port()

    def initialize(self) -> None:
        """Create a database cluster, whose superuser may connect without a password."""
        self._run("initdb", "-D", self._data, "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")

    def start(self) -> None:
        options = f"{_SETTINGS} -p {self.port} -c listen_addresses=127.0.0.1 -k {self._folder}"
        self._run("pg_ctl", "-D", self._data, "-w", "-t", _WITHIN, "-l", self._folder / "log", "-o", options, "start")

    def stop(self, mode: str = "immediate") -> None:
        self._run("pg_ctl", "-D", self._data, "-w", "-t", _WITHIN, "-m", mode, "stop")

    def end(self) -> None:
        """Stop the server if it runs, without another process: for the end of a test that may start none."""
        if not (self._data / "postmaster.pid").exists():
            return
        process = self._process()
        watched = os.pidfd_open(process)
        os.kill(process, signal.SIGQUIT)
        ended, _, _ = select.select([watched], [], [], float(_WITHIN))
        os.close(watched)
        assert ended, "the server did not stop"

    def restart(self, mode: str = "immediate") -> None:
        self.stop(mode)
        self.start()

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """Suspend all processes of the server during the block: it accepts connections, and answers nothing."""
        postmaster = self._process()
        # It starts no further process once it is stopped itself.
        os.kill(postmaster, signal.SIGSTOP)
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text()
        processes = [postmaster, *map(int, children.split())]
        for process in processes:
            os.kill(process, signal.SIGSTOP)
        try:
            yield
        finally:
            for process in reversed(processes):
                os.kill(process, signal.SIGCONT)

    def follow(self, primary: Server) -> None:
        """Become a standby of a running server, whose transactions wait from then on until they are here, too."""
        self._run("pg_basebackup", "-D", self._data, "-d", primary.url("postgres"), "-c", "fast", "-R", "--no-sync")
        self.start()
        with psycopg.connect(primary.url("postgres"), autocommit=True) as admin:
            admin.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            admin.execute("SELECT pg_reload_conf()")

    def promote(self) -> None:
        """Make this standby the primary."""
        self._run("pg_ctl", "-D", self._data, "-w", "-t", _WITHIN, "promote")

    def url(self, database: str, user: str = USER) -> str:
        """Return the URL of a database, over the Unix socket."""
        return f"postgresql://{user}@/{database}?host={quote(str(self._folder))}&port={self.port}"

    def tcp_url(self, database: str, user: str = USER) -> str:
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    @contextmanager
    def database(self) -> Iterator[str]:
        """Create a database during the block; yield its URL."""
        name = f"test_{secrets.token_hex(6)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as admin:
            admin.execute(f"CREATE DATABASE {name}".encode())
        yield self.url(name)
        with psycopg.connect(self.url("postgres"), autocommit=True) as admin:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())

    def _process(self) -> int:
        return int((self._data / "postmaster.pid").read_text().split()[0])

    def _run(self, program: str, *arguments: object) -> None:
        # What hack/postgres.sh has downloaded brings its libraries.
        libraries = ":".join(map(str, self._programs.parents[2].glob("*-linux-gnu*")))
        done = subprocess.run(
            [self._programs / program, *map(str, arguments)],
            user=_account(), cwd=self._folder, env={**os.environ, "LD_LIBRARY_PATH": libraries},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60,
            check=False,
        )  # fmt: skip
        log = self._folder / "log"
        assert done.returncode == 0, done.stdout + (log.read_text() if log.exists() else "")


def programs_or_skip() -> Path:
    """Return the folder of the programs; without one, skip the test."""
    found = programs()
    if found is None:
        pytest.skip("PostgreSQL is not here: hack/postgres.sh finds or downloads it")
    return found


@contextmanager
def running(programs: Path) -> Iterator[Server]:
    """Run a server during the block."""
    with _stopped(programs) as server:
        server.initialize()
        server.start()
        yield server


@contextmanager
def standby(programs: Path, primary: Server) -> Iterator[Server]:
    """Run a standby of a server during the block, with everything that the server commits from then on."""
    with _stopped(programs) as server:
        server.follow(primary)
        yield server


@contextmanager
def _stopped(programs: Path) -> Iterator[Server]:
    """Yield a server that is not initialized yet; stop it and delete its files at the end."""
    # Sockets have short paths, and an ordinary user must be able to enter the folder.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    server = Server(programs, folder)
    try:
        if account := _account():
            shutil.chown(folder, account)
        yield server
    finally:
        server.end()
        shutil.rmtree(folder, ignore_errors=True)


def _account() -> str | None:
    """Return the account to run the server with, None for that of the tests."""
    return next((name for name in _ACCOUNTS if _exists(name)), None) if os.geteuid() == 0 else None


def _exists(account: str) -> bool:
    try:
        pwd.getpwnam(account)
    except KeyError:
        return False
    return True
