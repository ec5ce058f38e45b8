"""Test that a look at the locks does not wait for the other work of the ledger: late looks cost all targets."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Collection
from typing import cast

import pytest

from exporter.ledger.locks import Replica, SharedStore
from exporter.ledger.shared import SharedLedger
from exporter.ledger.store import Snapshot, StoreError, Target
from exporter.training.job import Identity
from tests.ledger.books import START, TARGET

_ME = Replica(1, 2)


class _Slow:
    """Implement a store whose reads wait until they are `allowed`. `done` is what was done."""

    first_start, name = START, "the store"
    held: Collection[Target] = ()

    def __init__(self) -> None:
        self.allowed, self.reading = threading.Event(), threading.Event()
        self.done: list[str] = []
        self.lost = False

    def snapshot(self) -> Snapshot:
        return Snapshot()

    def open_jobs(self, target: Target) -> list[Identity]:
        self.reading.set()
        assert self.allowed.wait(10)
        self.done.append("read")
        return []

    def replicas(self, group: int) -> tuple[Replica, Collection[Replica]]:
        self.done.append("look")
        if self.lost:
            raise StoreError("lost")
        return _ME, [_ME]

    def close(self) -> None: ...


async def test_a_look_comes_before_all_work_that_waits() -> None:
    store = _Slow()
    ledger = SharedLedger(lambda _: cast("SharedStore", store), lambda: (START, START))
    async with ledger:
        for lost in (False, True):
            store.lost, store.done = lost, []
            store.allowed.clear()
            store.reading.clear()
            reads = [asyncio.create_task(ledger.open_jobs(TARGET)) for _ in range(3)]
            await asyncio.to_thread(store.reading.wait, 10)
            look = asyncio.create_task(ledger.look(1))
            await asyncio.sleep(0)
            store.allowed.set()
            if lost:
                with pytest.raises(StoreError, match="lost"):
                    await look
            else:
                assert (await look).me == _ME
            await asyncio.gather(*reads)
            assert store.done == ["read", "look", "read", "read"]
