"""Write samples in Prometheus's text format 0.0.4 and in OpenMetrics 1.0."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from exporter.exposition.family import Family, Histogram, LabelValues, Pairs, Total, Value
from exporter.exposition.labels import label_names

KEY = "_KEY"
_TAGS = "tag_KEY"
_SUFFIXES = {"counter": "_total", "info": "_info"}
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
# Up to here a float holds every integer exactly.
_EXACT_INTEGERS = 2.0**53


@dataclass(frozen=True, slots=True)
class Dialect:
    """One of the two exposition formats."""

    openmetrics: bool

    @property
    def end(self) -> bytes:
        """Return what ends an exposition."""
        return b"# EOF\n" if self.openmetrics else b""

    def header(self, family: Family[Any]) -> bytes:
        """Return the HELP and TYPE lines.

        In OpenMetrics the name of a counter family has no `_total` and that of an info family no `_info`. The text
        format has no infos.
        """
        name, kind = family.name, family.kind
        if self.openmetrics:
            name = name.removesuffix(_SUFFIXES.get(kind, ""))
        elif kind == "info":
            kind = "gauge"
        help_ = family.help.replace("\\", r"\\").replace("\n", r"\n")
        return f"# HELP {name} {help_}\n# TYPE {name} {kind}\n".encode()

    def lines(self, family: Family[Any], base: str, samples: Iterable[tuple[LabelValues, Value]]) -> bytes:
        """Return the lines of a family's samples. `base` is the text of the labels of `Family.base`.

        Of two samples with the same label set the last one wins: Prometheus would reject the duplicate.
        """
        names = (*family.labels, _TAGS) if family.kind in ("counter", "histogram") else family.labels
        found = {_join(base, labels_text(names, values)): value for values, value in samples}
        # A lone surrogate, which JSON can carry into a name, would fail the whole scrape.
        return "".join([self._sample(family, labels, value) for labels, value in found.items()]).encode(
            errors="replace"
        )

    def _sample(self, family: Family[Any], labels: str, value: Value) -> str:
        if isinstance(value, Total):
            return _line(family.name, labels, value.value) + self._created(family, labels, value.created)
        if isinstance(value, Histogram):
            return _histogram(family, labels, value) + self._created(family, labels, value.created)
        return _line(family.name, labels, value)

    def _created(self, family: Family[Any], labels: str, created: float) -> str:
        return _line(f"{family.name.removesuffix('_total')}_created", labels, created) if self.openmetrics else ""


TEXT = Dialect(openmetrics=False)
OPENMETRICS = Dialect(openmetrics=True)
DIALECTS = (TEXT, OPENMETRICS)


def labels_text(names: tuple[str, ...], values: LabelValues) -> str:
    """Return `name="value",...`. The value of a name that ends in _KEY is pairs, each of which becomes a label."""
    parts = []
    for name, value in zip(names, values, strict=False):
        if isinstance(value, str):
            parts.append(f'{name}="{escape(value)}"')
        else:
            parts.extend(f'{key}="{escape(text)}"' for key, text in labelled(name.removesuffix(KEY), value))
    return ",".join(parts)


def labelled(prefix: str, pairs: Pairs) -> list[tuple[str, str]]:
    """Return the pairs with keys replaced by label names, which are distinct within these pairs."""
    names = label_names(key for key, _ in pairs)
    return [(f"{prefix}_{names[key]}", value) for key, value in sorted(pairs)]


def escape(value: str) -> str:
    """Return a label value with backslash, quote and newline escaped."""
    # Nearly no value needs it, and three searches are cheaper than a translation.
    return value.translate(_ESCAPES) if "\\" in value or '"' in value or "\n" in value else value


def number(value: float) -> str:
    """Return the shortest text that parses to the same number."""
    if value.is_integer() and abs(value) < _EXACT_INTEGERS:
        return str(int(value))
    if math.isfinite(value):
        return repr(value)
    return "NaN" if math.isnan(value) else ("+Inf" if value > 0 else "-Inf")


def _join(first: str, second: str) -> str:
    return f"{first},{second}" if first and second else first or second


def _line(name: str, labels: str, value: float) -> str:
    return f"{name}{{{labels}}} {number(value)}\n" if labels else f"{name} {number(value)}\n"


def _histogram(family: Family[Any], labels: str, value: Histogram) -> str:
    bounds = [*(repr(bound) for bound in family.buckets), "+Inf"]
    buckets = [
        _line(f"{family.name}_bucket", _join(labels, f'le="{bound}"'), count)
        for bound, count in zip(bounds, value.cumulative, strict=True)
    ]
    total = value.cumulative[-1]
    return (
        "".join(buckets) + _line(f"{family.name}_sum", labels, value.sum) + _line(f"{family.name}_count", labels, total)
    )
