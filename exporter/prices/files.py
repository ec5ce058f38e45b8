"""Read a price file in any of its formats: AWS's index.json or index.csv, or a table in YAML."""

from __future__ import annotations

from exporter.config.problems import ConfigError, Place, Problem
from exporter.prices import csvfile, jsonfile, table
from exporter.prices.collecting import Collected

_PEEK = 4096


def read(path: str) -> Collected:
    """Return the price lists of a file by region. Raises ConfigError if the file cannot be used.

    If only some entries of AWS's list cannot be used, they are reported in the result, beside the other prices.
    """
    try:
        found = _read(path)
    except OSError as error:
        raise ConfigError(
            [Problem(path, "", f"cannot be read: {error.strerror or error}", "a readable price file")]
        ) from None
    if not found.lists:
        raise ConfigError([Problem(path, "", "has no price for training instances", jsonfile.ALLOWED)])
    return found


def problems(path: str, found: Collected) -> list[Problem]:
    """Return a problem for each entry of the file that was not used."""
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
