"""Guesses which of the known names was meant by an unknown one."""

from __future__ import annotations

from collections.abc import Collection

_SHORT = 6


def did_you_mean(name: str, known: Collection[str]) -> str:
    """Return ", did you mean NAME?" for the known name that was probably meant, or "" if there is none.

    A misspelled name differs in a letter or two, where swapped neighbors count once. An incomplete one consists of
    whole words of only one known name.
    """
    at_most = 1 if len(name) < _SHORT else 2
    near = {each: edits for each in known if (edits := _edits(name, each)) <= at_most}
    completed = [each for each in known if f"_{name}_" in f"_{each}_"]
    if near:
        return f", did you mean {min(near, key=near.__getitem__)}?"
    return f", did you mean {completed[0]}?" if len(completed) == 1 else ""


def _edits(one: str, other: str) -> int:
    """Return how many letters must be inserted, deleted, replaced or swapped with their neighbor."""
    older, old = list[int](), list(range(len(other) + 1))
    for i, a in enumerate(one):
        row = [i + 1]
        for j, b in enumerate(other):
            edits = min(old[j + 1] + 1, row[j] + 1, old[j] + (a != b))
            if i and j and a == other[j - 1] and one[i - 1] == b:
                edits = min(edits, older[j - 1] + 1)
            row.append(edits)
        older, old = old, row
    return old[-1]
