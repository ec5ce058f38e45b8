"""Reads a file of prices, whatever it is: AWS's index.json or index.csv, or a table in YAML."""

from __future__ import annotations

from exporter.config.problems import ConfigError, Place, Problem
from exporter.prices import csvfile, jsonfile, table
from exporter.prices.collecting import Collected

_PEEK = 4096


def read(path: str) -> Collected:
    """Return the price lists of a file, by region. Raises ConfigError where it cannot be used; where some entries of
    AWS's list cannot be, the others are returned with what is wrong with those."""
    try:
        found = _read(path)
    except OSError as error:
        raise ConfigError(
            [Problem(path, "", f"cannot be read: {error.strerror or error}", "a file of prices that can be read")]
        ) from None
    if not found.lists:
        raise ConfigError([Problem(path, "", "has no price of an instance that trains", jsonfile.ALLOWED)])
    return found


def problems(path: str, found: Collected) -> list[Problem]:
    """Return what is wrong with the entries of a file that were not used."""
    return [
        Problem(
            path, bad.entry, bad.problem, "one price per hour, not negative", Place(bad.line, 1) if bad.line else None
        )
        for bad in found.bad
    ]


def _read(path: str) -> Collected:
    with open(path, "rb") as file:
        start = file.read(_PEEK).removeprefix(b"\xef\xbb\xbf").lstrip()
        if path.endswith((".yaml", ".yml")):
            return table.read(path)
        if start.startswith(b"{"):
            file.seek(0)
            return jsonfile.read(path, file)
    if path.endswith(".csv") or start[:20].replace(b'"', b"").startswith((b"FormatVersion", b"SKU")):
        with open(path, encoding="utf-8-sig", newline="") as text:
            return csvfile.read(path, text)
    return table.read(path)
