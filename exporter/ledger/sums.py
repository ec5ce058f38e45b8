"""Shows the ledger's totals by label: one sample for each set of labels, whatever the series are called on disk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from exporter.exposition.family import Group, Pairs, Sample
from exporter.exposition.labels import KeyNames
from exporter.ledger.series import Series, SeriesKey
from exporter.training.totals import TOTAL_FAMILIES

Totals = Mapping[SeriesKey, Series]
# The samples of a target by family.
Sums = Mapping[str, Iterable[Sample]]
# What the families' own rows give is what one job adds.
TOTALS: Group[Sums] = Group("Totals", TOTAL_FAMILIES, lambda family, sums: sums.get(family.name, ()))


def tag_keys(totals: Totals) -> set[str]:
    """Return the keys of all tags that these series have, also of those that an earlier configuration named."""
    return {key for tags in {series.tags for series in totals} for key, _ in tags}


def sums(totals: Totals, names: KeyNames) -> Sums:
    """Return the samples of each family. Series that differ only in the order in which an earlier configuration named
    their tags have the same labels: they are one sample, their sum."""
    renamed: dict[Pairs, Pairs] = {tags: names.renamed(tags) for tags in {key.tags for key in totals}}
    found: dict[SeriesKey, Series] = {}
    for key, series in totals.items():
        shown = SeriesKey(key.family, key.labels, renamed[key.tags])
        found[shown] = found[shown].beside(series) if shown in found else series
    samples: dict[str, list[Sample]] = {}
    for key, series in found.items():
        samples.setdefault(key.family, []).append(((*key.labels, key.tags), series.value(key.family)))
    return samples
