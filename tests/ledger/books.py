"""Build jobs, readings and disks for the tests of the ledger."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from exporter.exposition.family import Pairs
from exporter.ledger.accounting import Reading
from exporter.ledger.ledger import Ledger
from exporter.ledger.series import Amounts, SeriesKey
from exporter.ledger.sqlite import SqliteStore
from exporter.ledger.statefile import Connect
from exporter.training.job import Instances, TrainingJob

TARGET = ("111122223333", "eu-west-1")
START = 1_700_000_000.0
DAY = 86400.0


def job(name: str = "train", created: float = START + 10, **fields: Any) -> TrainingJob:
    """Return a completed job on two instances; `fields` override its attributes."""
    ended = {
        "status": "Completed",
        "ended": created + 100,
        "modified": created + 120,
        "training_seconds": 90.0,
        "billable_seconds": 80.0,
        "spot": False,
        "instances": (Instances("ml.m5.large", "", 2),),
    }
    return TrainingJob(account=TARGET[0], region=TARGET[1], name=name, created=created, **{**ended, **fields})


def running(name: str = "train", created: float = START + 10, **fields: Any) -> TrainingJob:
    """Return the same job before its end."""
    nothing = dict.fromkeys(("ended", "training_seconds", "billable_seconds"))
    return job(name, created, **{**nothing, "status": "InProgress", "modified": created + 5, **fields})


def readings(*jobs: TrainingJob, settled: bool = False) -> list[Reading]:
    return [Reading.of(one, settled) for one in jobs]


def log(path: Path) -> Path:
    """Return the write-ahead log of a state file."""
    return path.with_name(f"{path.name}-wal")


def damage_log(path: Path, chance: random.Random) -> bool:
    """Change a byte of the write-ahead log of a state file; return False if there is no log."""
    data = bytearray(log(path).read_bytes()) if log(path).exists() else bytearray()
    if data:
        data[chance.randrange(len(data))] ^= chance.randrange(1, 256)
        log(path).write_bytes(data)
    return bool(data)


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


class Time:
    """Implement a clock that stands still."""

    def __init__(self, now: float = START) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class _Connection(sqlite3.Connection):
    step: Callable[[str], None]

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        self.step(sql)
        try:
            return super().execute(sql, parameters)
        finally:
            self.step(sql)

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> sqlite3.Cursor:
        self.step(sql)
        try:
            return super().executemany(sql, parameters)
        finally:
            self.step(sql)


@dataclass(slots=True)
class Disk:
    """Simulate the disk of a ledger.

    While it is `broken`, or from moment number `dies_at` on, every statement fails. A statement has two moments, one
    before it and one after. `doing` is the last statement, and `db` the connection opened last.
    """

    broken: bool = False
    dies_at: int | None = None
    moments: int = 0
    doing: str = ""
    watch: Callable[[int], None] | None = None
    db: sqlite3.Connection | None = None

    def connect(self, path: str, **options: Any) -> sqlite3.Connection:
        db = sqlite3.connect(path, factory=_Connection, **options)
        db.step, self.db = self._step, db
        return db

    def _step(self, sql: str) -> None:
        self.moments, self.doing = self.moments + 1, sql
        if self.watch:
            self.watch(self.moments)
        if self.broken or (self.dies_at is not None and self.moments >= self.dies_at):
            raise sqlite3.OperationalError("database or disk is full")


def ledger(
    path: Path | str = "",
    time: Callable[[], float] | None = None,
    backfill: float = 0.0,
    connect: Connect = sqlite3.connect,
) -> Ledger:
    return Ledger(partial(SqliteStore, str(path), connect=connect), time or Time(), backfill)


def shown(books: Ledger, family: str, *labels: str, tags: Pairs = ()) -> float | None:
    """Return the value of a counter on /metrics, None if the series does not exist."""
    series = books.totals(TARGET).get(SeriesKey(f"sagemaker_training_{family}_total", labels, tags))
    return None if series is None else series.shown[0] / 1000


def true(books: Ledger) -> dict[SeriesKey, Amounts]:
    """Return the true totals in thousandths, without series of 0."""
    return {key: series.true for key, series in books.totals(TARGET).items() if any(series.true)}


def histogram(books: Ledger, family: str, *labels: str, tags: Pairs = ()) -> tuple[float, float] | None:
    """Return the count and the sum of a histogram."""
    series = books.totals(TARGET).get(SeriesKey(f"sagemaker_training_{family}", labels, tags))
    return None if series is None else (series.shown[-2] / 1000, series.shown[-1] / 1000)
