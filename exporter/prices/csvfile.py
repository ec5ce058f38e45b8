"""Read the index.csv that AWS publishes for a service, line by line.

The file starts with a few lines of metadata, then names the columns, then has a line for each price.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import IO

from exporter.config.problems import ConfigError, Place, Problem, quote
from exporter.prices.collecting import Collected, Collector, MixedCurrenciesError
from exporter.prices.jsonfile import ALLOWED
from exporter.prices.offers import SERVICE, BadOfferError, Dimension, offer, plain

_NEEDED = ("sku", "termtype", "unit", "priceperunit", "currency", "productfamily", "locationtype", "usagetype")
# The line with the column names is searched for in the first lines only. Today five lines precede it.
_MOST_BEFORE = 20


def read(path: str, file: IO[str]) -> Collected:
    """Return the price lists of an open file. Raises ConfigError if it is not such a file, or is truncated."""
    # Without `strict` an unclosed quote would silently swallow the rest of a truncated file.
    rows = csv.reader(file, strict=True)
    collector = Collector()
    try:
        columns = _columns(path, rows)
        for row in rows:
            if row:
                _add(collector, path, columns, row, rows.line_num)
    except csv.Error as error:
        raise _refused(path, rows.line_num, f"is truncated in the middle of a line, or is not CSV: {error}") from None
    except UnicodeDecodeError:
        raise _refused(path, rows.line_num + 1, "is not UTF-8") from None
    return collector.collected()


def _columns(path: str, rows: Iterator[list[str]]) -> list[str]:
    """Return the normalized names of the columns. Raises ConfigError for the list of another service."""
    code = ""
    for number, row in enumerate(rows, 1):
        names = [plain(cell) for cell in row]
        if names[:1] == ["offercode"]:
            code = row[1] if len(row) > 1 else ""
            if code != SERVICE:
                raise _refused(path, number, f"is the price list of {quote(code)}", "OfferCode")
        elif "sku" in names:
            if missing := [name for name in _NEEDED if name not in names]:
                raise _refused(path, number, f"has no column {', '.join(missing)}")
            return names
        elif number >= _MOST_BEFORE:
            break
    raise _refused(path, 1, "is not an AWS price list: no line has the column names, such as SKU")


def _add(collector: Collector, path: str, columns: list[str], row: list[str], line: int) -> None:
    if len(row) != len(columns):
        raise _refused(path, line, f"has {len(row)} columns instead of {len(columns)}: the file may be truncated")
    cells = dict(zip(columns, row, strict=True))
    if cells["termtype"] != "OnDemand":
        return
    try:
        found = offer(cells, [Dimension(cells["unit"], {cells["currency"]: cells["priceperunit"]})])
    except BadOfferError as error:
        collector.refuse(cells["sku"], str(error), line)
        return
    if found is None:
        return
    try:
        collector.add(found, cells["sku"], line)
    except MixedCurrenciesError as error:
        raise _refused(path, line, str(error), cells["sku"]) from None


def _refused(path: str, line: int, message: str, key: str = "") -> ConfigError:
    return ConfigError([Problem(path, key, message, ALLOWED, Place(line, 1))])
