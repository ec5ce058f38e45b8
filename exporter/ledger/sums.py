"""Convert the ledger's series into samples: one for each label set, even if several stored series share it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from exporter.exposition.family import Group, Pairs, Sample
from exporter.exposition.labels import KeyNames
from exporter.ledger.series import Series, SeriesKey
from exporter.training.totals import TOTAL_FAMILIES

Totals = Mapping[SeriesKey, Series]
# The samples of a target by family.
Sums = Mapping[str, Iterable[Sample]]
# The rows of these families give what one job adds; the samples are the sums kept by the ledger.
TOTALS: Group[Sums] = Group("Totals", TOTAL_FAMILIES, lambda family, sums: sums.get(family.name, ()))


def tag_keys(totals: Totals) -> set[str]:
    """Return all tag keys of these series, including those from earlier configurations."""
    return {key for tags in {series.tags for series in totals} for key, _ in tags}


def sums(totals: Totals, names: KeyNames) -> Sums:
    """Return the samples of each family.

    Series whose tags differ only in the order in which an earlier configuration listed them have the same label set:
    their sum is one sample.
    """
    renamed: dict[Pairs, Pairs] = {tags: names.renamed(tags) for tags in {key.tags for key in totals}}
    found: dict[SeriesKey, Series] = {}
    for key, series in totals.items():
        shown = SeriesKey(key.family, key.labels, renamed[key.tags])
        found[shown] = found[shown].beside(series) if shown in found else series
    samples: dict[str, list[Sample]] = {}
    for key, series in found.items():
        samples.setdefault(key.family, []).append(((*key.labels, key.tags), series.value(key.family)))
    return samples
