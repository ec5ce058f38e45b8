"""Measure each step from a response to a record."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

import botocore.session
import orjson
from botocore.parsers import ResponseParserFactory

from benchmarks.children import ACCOUNT, REGION, Readings
from exporter.aws.answers import answer_parsers
from exporter.polling.parse_cache import ParseCache
from exporter.simulator.answers import describe, search_record, summary
from exporter.simulator.generator import Fleet, Plan
from exporter.training.parsing import Allowlist

_PAGE = 100
_SECONDS, _RUNS = 0.1, 5
Answers = Sequence[dict[str, Any]]


def measure() -> Readings:
    """Return the CPU seconds for each job, by operation and step."""
    now = time.time()
    lives = list(Fleet(Plan(jobs=_PAGE), 1, now, ACCOUNT, REGION).until(now))[-_PAGE:]
    described = [describe(life, now) for life in lives]
    listed = [summary(life, now) for life in lives]
    indexed = [search_record(life, now) for life in lives]
    return {
        "DescribeTrainingJob": _steps("DescribeTrainingJob", described, described),
        "ListTrainingJobs, 100 a page": _steps("ListTrainingJobs", [{"TrainingJobSummaries": listed}], listed),
        "Search, 100 a page": _steps("Search", [{"Results": [{"TrainingJob": job} for job in indexed]}], indexed),
    }


def _steps(operation: str, answers: Answers, jobs: Answers) -> dict[str, float]:
    shape: Any = botocore.session.get_session().get_service_model("sagemaker").operation_model(operation).output_shape
    responses = [{"body": orjson.dumps(answer), "headers": {}, "status_code": 200} for answer in answers]
    theirs, floats = ResponseParserFactory(), ResponseParserFactory()
    floats.set_parser_defaults(timestamp_parser=float)
    ours = answer_parsers().create_parser("json")
    known = _records(jobs)

    async def parse_ours() -> None:
        for response in responses:
            await ours.parse(response, shape)

    def parse(factory: ResponseParserFactory) -> Callable[[], Any]:
        parser = factory.create_parser("json")
        return lambda: [parser.parse(response, shape) for response in responses]

    with asyncio.Runner() as runner:
        steps: dict[str, Callable[[], Any]] = {
            "botocore": parse(theirs),
            "botocore, float timestamps": parse(floats),
            "exporter": lambda: runner.run(parse_ours()),
            "answer to record": lambda: _records(jobs),
            "the same answer again": lambda: [known[0].parse(job) for job in jobs],
        }
        return {name: _cpu(step) / len(jobs) for name, step in steps.items()}


def _records(jobs: Answers) -> tuple[ParseCache, list[Any]]:
    """Return a filled ParseCache of these, and what keeps its entries alive."""
    records = ParseCache(ACCOUNT, REGION, Allowlist())
    return records, [records.parse(job) for job in jobs]


def _cpu(work: Callable[[], Any]) -> float:
    """Return the CPU seconds of the fastest run: slower ones were disturbed by other processes."""
    runs = list[float]()
    until = time.perf_counter() + _SECONDS
    # On a busy machine the first run, which is slower than all others, may take all of the time.
    while time.perf_counter() < until or len(runs) < _RUNS:
        began = time.process_time()
        work()
        runs.append(time.process_time() - began)
    return min(runs)
