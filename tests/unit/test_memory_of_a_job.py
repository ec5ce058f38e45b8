"""Test that the memory of a tracked job is bounded, and is freed when the job is removed."""

from __future__ import annotations

import gc
import json
import tracemalloc
from pathlib import Path

import pytest

from exporter.exposition.gzip import Segment
from exporter.exposition.section import Section
from exporter.exposition.text import TEXT
from exporter.polling.parse_cache import ParseCache
from exporter.training.families import JOBS, JobView
from exporter.training.parsing import Allowlist

# Coverage would slow these down by half, and the same lines have tests of their own.
pytestmark = [pytest.mark.slow, pytest.mark.no_cover]

GOLDEN = Path(__file__).parents[1] / "golden"
NUMBER = 600
# Text, record, and what finds them; docs/performance.md has what a mixture of jobs takes.
MOST_BYTES = 12_000
CASES = ("real_answer", "real_answer_with_metrics", "heterogeneous")


@pytest.mark.parametrize("case", CASES)
def test_a_job_takes_no_more_than_is_said_and_leaves_nothing(case: str) -> None:
    answer = json.loads((GOLDEN / f"{case}.json").read_text())
    section: Section[JobView] = Section(JOBS.families, JOBS.samples, TEXT)
    records = ParseCache("123456789012", "us-east-1", Allowlist())
    gc.collect()
    tracemalloc.start()
    kept = {}
    for number in range(NUMBER):
        job = records.parse(answer | {"TrainingJobName": f"a-training-job-of-the-usual-length-{number:06d}"})
        assert job is not None
        kept[job.name] = job
        section.put(job.name, (job.account, job.region, job.name), JobView(job))
    for part in section.segments(TEXT):
        if not isinstance(part, Segment):
            part.keep(part.made())
    held = tracemalloc.get_traced_memory()[0] / NUMBER
    for name in list(kept):
        section.remove(name)
        del kept[name]
    del job, part
    gc.collect()
    left = tracemalloc.get_traced_memory()[0] / NUMBER
    tracemalloc.stop()
    assert 2_000 < held < MOST_BYTES
    assert left < 600
    assert len(section) == len(records) == 0
