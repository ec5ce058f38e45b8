"""Derive label names from the keys of tags and hyperparameters.

Label names allow fewer characters than keys, so several keys may map to the same name ("Team" and "team"). Keys from
the configuration are named before any job is seen: the same configuration always gives the same names.
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
    """Return a label name for each key, by the rules of kube-state-metrics.

    Characters that are not allowed become "_", and camel case becomes snake case. Keys with the same name, or with one
    that is `taken`, get the suffix `_conflictN` in sorted order.
    """
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
    """The label names of the keys that are known in advance."""

    names: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, keys: Iterable[str]) -> KeyNames:
        """Return the names for an allowlist. "*" is skipped: the keys that it allows are not known in advance."""
        return cls(label_names(key for key in keys if key != "*"))

    def extended(self, keys: Iterable[str]) -> KeyNames:
        """Return these names and those of more keys, which get names that are still free."""
        more = set(keys) - self.names.keys()
        return KeyNames({**self.names, **label_names(more, self.names.values())}) if more else self

    def renamed(self, pairs: Pairs) -> Pairs:
        """Return the pairs with the known keys replaced by their names, sorted."""
        return tuple(sorted((self.names.get(key, key), value) for key, value in pairs))


NO_KEYS = KeyNames()


def _snake(key: str) -> str:
    return _CAMEL.sub(r"\1_\2", _NO_LABEL_CHARACTER.sub("_", key)).lower()
