"""Provide all random numbers of the simulator, so that a run can be reproduced from its seed."""

from __future__ import annotations

import random


def seeded(*parts: object) -> random.Random:
    """Return a generator whose numbers depend only on these parts."""
    return random.Random("/".join(map(str, parts)))
