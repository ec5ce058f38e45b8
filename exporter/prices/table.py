"""Read a handwritten table of prices: YAML, by region, instance type and usage.

currency: USD
regions:
  us-gov-west-1:
    ml.g5.xlarge: {training: 1.76, spot_training: 1.70}
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal

from exporter.config import located
from exporter.config.file import read as contents
from exporter.config.located import UNREADABLE, Document
from exporter.config.problems import ConfigError, Path, Place, Problem, key_path, kind, quote
from exporter.config.suggestions import did_you_mean
from exporter.prices import amounts
from exporter.prices.book import PriceList
from exporter.prices.collecting import Collected
from exporter.training.usage import TRAINING, USAGES

_KEYS = ("currency", "regions")
_CURRENCY = re.compile(r"[A-Z]{3}")
_CURRENCIES = "the three letters of one currency, such as USD or CNY"
_REGION = re.compile(r"[a-z]{2,5}(?:-[a-z]{2,}){1,2}-[1-9][0-9]?")
_REGIONS = "regions such as us-east-1"
_TYPE = re.compile(r"ml\.[a-z0-9-]{1,30}\.[a-z0-9-]{1,30}")
_TYPES = "instance types such as ml.m5.xlarge"
_PRICES = "a price per instance and hour, such as 0.23"


def read(path: str) -> Collected:
    """Return the price lists of a file. Raises ConfigError with all of its problems."""
    # Prices stay text, because a binary number could not hold them exactly.
    document, problems = located.parse(contents(path), path, fraction=str)
    table = _Table(path, document)
    lists = table.lists()
    if problems or table.problems:
        raise ConfigError([*problems, *table.problems])
    return Collected(lists)


class _Table:
    """Interpret a parsed file, and collect its problems."""

    def __init__(self, file: str, document: Document) -> None:
        self._file, self._document = file, document
        self.problems: list[Problem] = []

    def lists(self) -> dict[str, PriceList]:
        top = dict(self._items((), self._document.value, f"the keys {', '.join(_KEYS)}"))
        self._known((), top, _KEYS)
        currency = top.get("currency", "USD")
        if not isinstance(currency, str) or not _CURRENCY.fullmatch(currency):
            self._refuse(("currency",), f"{quote(currency)} is not a currency", _CURRENCIES)
            currency = ""
        regions = dict(self._items(("regions",), top.get("regions"), _REGIONS))
        return {
            region: PriceList(currency, dict(self._prices(("regions", region), types)))
            for region, types in regions.items()
            if self._fits(("regions", region), region, _REGION, "a region", _REGIONS)
        }

    def _prices(self, path: Path, types: object) -> Iterator[tuple[tuple[str, str], Decimal]]:
        for instance_type, usages in self._items(path, types, _TYPES):
            here = (*path, instance_type)
            if not self._fits(here, instance_type, _TYPE, "an instance type", _TYPES):
                continue
            if not isinstance(usages, dict):
                # A single price is that of training.
                yield from self._price(here, (instance_type, TRAINING), usages)
                continue
            found = dict(self._items(here, usages, f"prices by {', '.join(USAGES)}"))
            self._known(here, found, USAGES)
            for usage in found.keys() & set(USAGES):
                yield from self._price((*here, usage), (instance_type, usage), found[usage])

    def _price(self, path: Path, key: tuple[str, str], value: object) -> Iterator[tuple[tuple[str, str], Decimal]]:
        if value is UNREADABLE:
            return
        text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        try:
            yield key, amounts.price(text)
        except ValueError as error:
            said = str(error) if isinstance(text, str) else f"{kind(value)} is not a price"
            self._refuse(path, said, _PRICES)

    def _items(self, path: Path, value: object, allowed: str) -> Iterator[tuple[str, object]]:
        if isinstance(value, dict):
            if not value:
                self._refuse(path, "is empty", allowed)
            yield from value.items()
        elif value is not UNREADABLE:
            self._refuse(path, f"is {kind(value)}, not a mapping", allowed)

    def _known(self, path: Sequence[str | int], found: dict[str, object], keys: Sequence[str]) -> None:
        for key in found.keys() - set(keys):
            self._refuse((*path, key), f"unknown key{did_you_mean(key, keys)}", ", ".join(keys), key=True)

    def _fits(self, path: Path, text: str, form: re.Pattern[str], name: str, allowed: str) -> bool:
        if form.fullmatch(text):
            return True
        self._refuse(path, f"{quote(text)} is not {name}", allowed, key=True)
        return False

    def _refuse(self, path: Path, message: str, allowed: str, *, key: bool = False) -> None:
        find: Callable[[Path], Place] = self._document.key_place if key else self._document.value_place
        self.problems.append(Problem(self._file, key_path(path), message, allowed, find(path)))
