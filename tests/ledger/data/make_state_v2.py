"""Write state-v2.db, which is beside this script.

It was run on the last exporter of schema 2 (commit baac5dc), which had no prices.

    python -m tests.ledger.data.make_state_v2 tests/ledger/data/state-v2.db
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from exporter.training.job import Instances, WarmPool
from tests.ledger.books import START, TARGET, job, ledger, readings, running

_TWO_GROUPS = (Instances("ml.g5.xlarge", "workers", 2), Instances("ml.m5.large", "servers", 1))


async def write(path: Path) -> None:
    """Write a job in every state that a file of schema 2 can have."""
    async with ledger(path) as books:
        await books.begin(TARGET)
        await books.apply(
            readings(
                job("billed"),
                job("spot", spot=True, billable_seconds=30.0),
                job("of-a-team", cost_tags=(("team", "vision"),)),
                job("two-groups", instances=_TWO_GROUPS),
                job("never-billed", billable_seconds=None),
                job("serverless", billable_seconds=None, instances=()),
                settled=True,
            )
        )
        await books.apply(
            readings(
                job("open-billed"),
                job("open-unbilled", spot=True, billable_seconds=None),
                job("open-pool", keep_alive_seconds=600.0, warm_pool=WarmPool("Available", 20.0, None)),
                running("running"),
            ),
            {TARGET: START + 600},
        )


if __name__ == "__main__":
    asyncio.run(write(Path(sys.argv[1])))
