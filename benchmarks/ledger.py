"""Measure the totals: a poll that changed 1,000 jobs, a file of many jobs, and opening it."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from statistics import median

from exporter.ledger.accounting import Reading
from exporter.ledger.ledger import Ledger
from exporter.ledger.opening import open_ledger
from exporter.training.job import Instances, TrainingJob, Transition, WarmPool

_START = 1_700_000_000.0
_TYPES = ("ml.m5.large", "ml.g5.2xlarge", "ml.p4d.24xlarge")
_PHASES = (("Starting", 90.0), ("Downloading", 30.0), ("Training", 3600.0), ("Uploading", 20.0), ("Completed", 0.0))
_POLL, _POLLS, _MANY = 1000, 5, 20_000
TARGET = ("111122223333", "eu-west-1")
# What is read of the jobs in a poll, and how far they are then.
KINDS = (("new", 0), ("changed", 1), ("ended", 2), ("unchanged", 2))


async def measure() -> dict[str, float]:
    """Return the median wall-clock and CPU seconds of a poll of 1,000 jobs, and for 100,000 jobs the bytes of the state
    file, which is on a disk, and the seconds to open it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state.db"
        figures: dict[str, float] = {}
        async with open_ledger(str(path), lambda: _START) as ledger:
            for name, step in KINDS:
                polls = [await one_poll(ledger, poll, step) for poll in range(_POLLS)]
                figures |= {f"{name}_{kind}_seconds": median(one[kind] for one in polls) for kind in ("wall", "cpu")}
            for first in range(_POLL * _POLLS, _MANY, _POLL):
                await ledger.apply([_reading(number, 2) for number in range(first, first + _POLL)])
        scale = 100_000 / _MANY
        figures["bytes_per_100000_jobs"] = path.stat().st_size * scale
        began = time.perf_counter()
        async with open_ledger(str(path), lambda: _START):
            figures["open_seconds_per_100000_jobs"] = (time.perf_counter() - began) * scale
        return figures


async def one_poll(ledger: Ledger, poll: int, step: int) -> dict[str, float]:
    """Return the wall-clock and CPU seconds of a poll of 1,000 jobs of TARGET. Each poll has other jobs."""
    readings = [_reading(poll * _POLL + number, step) for number in range(_POLL)]
    began, burned = time.perf_counter(), time.process_time()
    await ledger.apply(readings)
    return {"wall": time.perf_counter() - began, "cpu": time.process_time() - burned}


def _reading(number: int, step: int) -> Reading:
    """Return readings of a job that is new, that has progressed, and that has ended."""
    created = _START + number
    over = step == 2
    ends = [created]
    for _, seconds in _PHASES[: 2 * step + 1]:
        ends.append(ends[-1] + seconds)
    walk = zip(_PHASES[: 2 * step + 1], ends, ends[1:], strict=False)
    job = TrainingJob(
        account=TARGET[0],
        region=TARGET[1],
        name=f"train-{number:06d}-2023-11-14-22-13-20",
        created=created,
        status="Completed" if over else "InProgress",
        modified=ends[-1],
        ended=ends[-1] if over else None,
        training_seconds=3650.0 if over else None,
        billable_seconds=3650.0 if over else None,
        spot=number % 3 == 0,
        instances=(Instances(_TYPES[number % len(_TYPES)], "", 1 + number % 4),),
        transitions=tuple(Transition(status, start, end) for (status, _), start, end in walk),
        keep_alive_seconds=600.0,
        warm_pool=WarmPool("Terminated", 600.0, None) if over else None,
    )
    return Reading.of(job, settled=over)
