"""Test that a scrape of many jobs is rendered in pieces of bounded work, between which other tasks run."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Iterator
from typing import Any

import pytest

from exporter.exposition import board as boards
from exporter.exposition.gzip import Segment
from exporter.exposition.section import Section
from exporter.exposition.text import TEXT
from exporter.ledger.opening import open_ledger
from exporter.training.families import JOBS, JobView
from exporter.training.job import Instances, TrainingJob
from tests.displays import Showing

NUMBER = 1500
# A block of things, and the header of a family.
MOST_LINES = 6 * 256 + 2


def job(number: int) -> TrainingJob:
    name = f"job-{number:05d}"
    instances = (Instances("ml.g5.xlarge", "", 1),)
    return TrainingJob(
        account="1", region="r", name=name, status="InProgress", created=float(number), instances=instances
    )


@pytest.fixture(scope="module")
def full() -> Showing:
    board = Showing(open_ledger("", lambda: 0.0))
    for number in range(NUMBER):
        board.job(job(number))
    return board


def test_no_piece_is_of_more_than_a_block() -> None:
    section = Section[JobView](JOBS.families, JOBS.samples, TEXT)
    for number in range(NUMBER):
        section.put(number, ("1", "r", str(number)), JobView(job(number)))
    pieces = list(section.text(TEXT))
    assert max(piece.count(b"\n") for piece in pieces) <= MOST_LINES
    sizes = [part.length if isinstance(part, Segment) else part.made().length for part in section.segments(TEXT)]
    assert sum(sizes) == sum(map(len, pieces))
    assert max(sizes) == max(map(len, pieces))


@pytest.mark.parametrize("zipped", [False, True])
async def test_others_get_their_turn_between_chunks(full: Showing, zipped: bool) -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    neighbour = asyncio.create_task(other())
    chunks = [(turns, chunk) async for chunk in full.metrics(openmetrics=False, gzip=zipped)]
    neighbour.cancel()
    text = b"".join(chunk for _, chunk in chunks)
    assert (gzip.decompress(text) if zipped else text).count(b"sagemaker_training_job_instances{") == NUMBER
    # No chunk is much larger than what is sent at a time, and between any two there was a turn.
    assert max(len(chunk) for _, chunk in chunks) < boards._CHUNK + MOST_LINES * 200
    assert len({turn for turn, _ in chunks}) == len(chunks)


async def test_a_thread_compresses_a_few_blocks_at_a_time(full: Showing, monkeypatch: pytest.MonkeyPatch) -> None:
    batches = []

    def made(missing: list[Any]) -> Iterator[Segment]:
        batches.append(len(missing))
        return iter([part.made() for part in missing])

    monkeypatch.setattr(boards, "_made", lambda missing: list(made(missing)))
    full.job(job(0))
    full.job(TrainingJob(account="1", region="r", name="job-00000", status="Failed"))
    first = [piece async for piece in full.metrics(openmetrics=False, gzip=True)]
    assert max(batches) <= boards._BATCH
    batches.clear()
    again = [piece async for piece in full.metrics(openmetrics=True, gzip=True)]
    assert gzip.decompress(b"".join(first)).count(b'status="Failed"} 1\n') == 1
    assert gzip.decompress(b"".join(again)).count(b'status="Failed"} 1\n') == 1
    # OpenMetrics shares the text of the jobs, and what gzip made of it; its own are some families of the exporter.
    assert sum(batches) < 10
    full.job(job(0))


@pytest.mark.parametrize("zipped", [False, True])
async def test_a_scrape_that_is_given_up_leaves_no_generator_to_be_closed(full: Showing, zipped: bool) -> None:
    """Its generators are closed with it, instead of by tasks that the loop starts for abandoned ones."""
    chunks = full.metrics(openmetrics=False, gzip=zipped)
    await anext(chunks)
    await chunks.aclose()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}
