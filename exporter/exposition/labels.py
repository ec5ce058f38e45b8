"""Names the labels that tags and hyperparameters become.

A label name cannot have every character of a key, so several keys may ask for the same name ("Team" and "team"). The
keys of the configuration get their names before any job is seen: the same configuration always gives the same names.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import count

from exporter.exposition.family import Pairs

_NO_LABEL_CHARACTER = re.compile(r"[^a-zA-Z0-9_]")
_CAMEL = re.compile(r"([a-z0-9])([A-Z])")


def label_names(keys: Iterable[str], taken: Collection[str] = ()) -> dict[str, str]:
    """Return a name for each key, the way kube-state-metrics makes them: what a label cannot have becomes "_", camel
    case becomes snake case, and keys whose names are the same, or `taken`, get `_conflictN` in their sorted order."""
    names = {key: _snake(key) for key in sorted(set(keys))}
    asked = Counter(names.values())
    alone = {name for name, number in asked.items() if number == 1 and name not in taken}
    used = {*taken, *alone}
    for key, name in names.items():
        if name not in alone:
            names[key] = next(n for n in (f"{name}_conflict{i}" for i in count(1)) if n not in used)
            used.add(names[key])
    return names


@dataclass(frozen=True, slots=True)
class KeyNames:
    """The names of the keys that are known beforehand."""

    names: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, keys: Iterable[str]) -> KeyNames:
        """Name the keys of an allowlist; "*" allows keys that only the jobs know."""
        return cls(label_names(key for key in keys if key != "*"))

    def extended(self, keys: Iterable[str]) -> KeyNames:
        """Return these names and those of more keys, which get what is still free."""
        more = set(keys) - self.names.keys()
        return KeyNames({**self.names, **label_names(more, self.names.values())}) if more else self

    def renamed(self, pairs: Pairs) -> Pairs:
        """Return the pairs with names in place of the known keys, sorted."""
        return tuple(sorted((self.names.get(key, key), value) for key, value in pairs))


NO_KEYS = KeyNames()


def _snake(key: str) -> str:
    return _CAMEL.sub(r"\1_\2", _NO_LABEL_CHARACTER.sub("_", key)).lower()
