"""Decide which replica polls which target: by rendezvous hashing, evenly. All replicas come to the same result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from hashlib import sha256

_GROUP_BYTES = 3


def group_of(keys: Iterable[str], tags: Iterable[str] = ()) -> int:
    """Return a number of 24 bits that is equal for equal targets and equal tags of totals. Only replicas of one group
    divide targets."""
    parts = [*sorted(keys), *(f"by tag {tag}" for tag in sorted(tags))]
    return int.from_bytes(sha256("\n".join(parts).encode()).digest()[:_GROUP_BYTES], "big")


def assigned(keys: Iterable[str], replicas: Collection[int], me: int) -> frozenset[str]:
    """Return the targets of replica `me`, by their keys, among these replicas.

    A target belongs to the replica with the highest hash of both, as in rendezvous hashing: a replica that comes or
    goes moves few targets between the others. But no replica gets more than one target more than another.
    """
    ordered = sorted(keys)
    each = len(ordered) // len(replicas)
    load = Counter[int]()
    mine = set()
    for key in ordered:
        best = sorted(replicas, key=lambda replica: _score(key, replica), reverse=True)
        # First fill all replicas equally; the last few targets are one more for some of them.
        limit = each if sum(load.values()) < each * len(replicas) else each + 1
        chosen = next(replica for replica in best if load[replica] < limit)
        load[chosen] += 1
        if chosen == me:
            mine.add(key)
    return frozenset(mine)


def _score(key: str, replica: int) -> bytes:
    return sha256(f"{key} {replica}".encode()).digest()
