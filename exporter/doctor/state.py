"""Checks where totals are kept, and creates nothing there."""

from __future__ import annotations

import os

from exporter.clock import Clock
from exporter.config import Config
from exporter.doctor.findings import Failure, Reading
from exporter.ledger.opening import examine_database
from exporter.ledger.store import StoreError


def examine_state(config: Config, clock: Clock) -> Reading:
    """Look at the database or the file of a configuration; it blocks. Nothing that is returned names either."""
    if config.state.url:
        return _of_database(config.state.url, config.state.password_file, clock)
    if config.state.path:
        return _of_file(config.state.path)
    return Reading("state", wanted=True, done=1, found="in memory: totals begin with 0 at each start")


def _of_database(url: str, password_file: str, clock: Clock) -> Reading:
    name, began = "state.url", clock.monotonic()
    try:
        found = examine_database(url, name, password_file)
    except StoreError as error:
        return _unusable(name, str(error).removeprefix(f"{name}: "))
    if not found.schema:
        schema = "no tables yet"
    elif found.schema == found.newest:
        schema = f"schema {found.schema}"
    else:
        schema = f"schema {found.schema}, which the next start migrates to {found.newest}"
    return Reading(
        name, True, done=1, found=f"PostgreSQL {found.server}, {schema}", seconds=(clock.monotonic() - began,)
    )


def _of_file(path: str) -> Reading:
    # As it is opened: where it leads to.
    file = os.path.realpath(path)
    folder, there = os.path.dirname(file), os.path.exists(file)
    if not os.path.isdir(folder):
        return _unusable("state.path", "its directory does not exist, or this user may not enter it")
    # SQLite writes a log beside the file.
    if not os.access(folder, os.W_OK | os.X_OK):
        return _unusable("state.path", "its directory cannot be written; let this user write there")
    if there and not os.path.isfile(file):
        return _unusable("state.path", "it is not a file; name another one")
    if there and not os.access(file, os.R_OK | os.W_OK):
        return _unusable("state.path", "the file cannot be written; let this user read and write it")
    return Reading("state.path", True, done=1, found="a file that can be written" if there else "no file yet")


def _unusable(name: str, why: str) -> Reading:
    return Reading(name, wanted=True, failures={Failure(name, "Unusable", why): 1})
