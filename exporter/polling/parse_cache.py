"""Answers as records. Most answers say again what they said before, and cost no parsing then."""

from __future__ import annotations

import marshal
from collections.abc import Mapping
from hashlib import sha256
from typing import Any
from weakref import WeakValueDictionary

from exporter.training.job import TrainingJob
from exporter.training.parsing import Allowlist, parse


class ParseCache:
    """Of the answers of one target. A record is remembered for as long as anybody keeps it."""

    def __init__(self, account: str, region: str, allow: Allowlist) -> None:
        self._account, self._region, self._allow = account, region, allow
        self._kept: WeakValueDictionary[bytes, TrainingJob] = WeakValueDictionary()

    def __len__(self) -> int:
        return len(self._kept)

    def parse(self, answer: Mapping[str, Any]) -> TrainingJob | None:
        """The record of an answer, the very same one for the same answer; None when it is none."""
        digest = _digest(answer)
        job = self._kept.get(digest)
        if job is None:
            job = parse(answer, self._account, self._region, self._allow)
            if job is not None and digest:
                self._kept[digest] = job
        return job


def _digest(answer: Any) -> bytes:
    """Of what is written, to the last bit; empty for what is no JSON."""
    try:
        # From version 3 on marshal would also write which objects are the same.
        return sha256(marshal.dumps(answer, 2)).digest()
    except ValueError:
        return b""
