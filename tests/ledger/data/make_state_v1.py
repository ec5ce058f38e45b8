"""Write state-v1.db, which is beside this script.

It was run on the last exporter of schema 1 (commit 383d885), which counted the training seconds of a job before its
bill.

    python -m tests.ledger.data.make_state_v1 tests/ledger/data/state-v1.db
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.ledger.books import START, TARGET, job, ledger, readings, running


async def write(path: Path) -> None:
    """Write a job in every state that a file of schema 1 can have."""
    async with ledger(path) as books:
        await books.begin(TARGET)
        await books.apply(
            readings(
                job("billed"),
                job("settled-unbilled", spot=True, billable_seconds=None),
                job("of-a-team", billable_seconds=None, cost_tags=(("team", "vision"),)),
                job("name-used-again", billable_seconds=None),
                job("serverless", billable_seconds=None, instances=()),
                job("failed-early", status="Failed", training_seconds=None, billable_seconds=None),
                settled=True,
            )
        )
        await books.apply(
            readings(
                job("open-unbilled", spot=True, billable_seconds=None),
                running("name-used-again", START + 500),
                running("running-with-seconds", training_seconds=40.0),
            ),
            {TARGET: START + 600},
        )


if __name__ == "__main__":
    asyncio.run(write(Path(sys.argv[1])))
