"""Caches parsed records by the content of the response: most responses repeat the one before."""

from __future__ import annotations

import marshal
from collections.abc import Mapping
from hashlib import sha256
from typing import Any
from weakref import WeakValueDictionary

from exporter.training.job import TrainingJob
from exporter.training.parsing import Allowlist, parse


class ParseCache:
    """Parses the responses of one target, with a cache.

    The cache holds weak references: a record stays in it as long as it is used elsewhere, so it needs no limit.
    """

    def __init__(self, account: str, region: str, allow: Allowlist) -> None:
        self._account, self._region, self._allow = account, region, allow
        self._kept: WeakValueDictionary[bytes, TrainingJob] = WeakValueDictionary()

    def __len__(self) -> int:
        return len(self._kept)

    def parse(self, answer: Mapping[str, Any]) -> TrainingJob | None:
        """Return the record of a response, the same object for the same content; None if it is no job."""
        digest = _digest(answer)
        job = self._kept.get(digest)
        if job is None:
            job = parse(answer, self._account, self._region, self._allow)
            # Responses without a digest are not distinguishable, so they are not cached.
            if job is not None and digest:
                self._kept[digest] = job
        return job


def _digest(answer: Any) -> bytes:
    """Return a digest of all content of a response; empty for one that JSON cannot represent."""
    try:
        # marshal is the fastest serialisation of plain objects. From version 3 on its output would depend on which
        # objects are identical, and not only on what they contain.
        return sha256(marshal.dumps(answer, 2)).digest()
    except ValueError:
        return b""
