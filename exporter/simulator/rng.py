"""The one place where chance comes from, so that a seed is all it takes to see the same again."""

from __future__ import annotations

import random


def seeded(*parts: object) -> random.Random:
    """Numbers that depend on these parts and on nothing else."""
    return random.Random("/".join(map(str, parts)))
