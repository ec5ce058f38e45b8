"""Test that both formats have the same samples, each family once, in a stable order."""

from __future__ import annotations

import gzip
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import replace

import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families as text_families

from exporter.catalogue import CATALOGUE
from exporter.ledger.accounting import Reading
from exporter.ledger.opening import open_ledger
from exporter.polling.api import Calls
from exporter.polling.health import Health
from exporter.training.active import ActiveCounts
from exporter.training.job import Instances, TrainingJob
from tests.displays import Showing

Parser = Callable[[str], Iterable[Metric]]
openmetrics_families: Parser = openmetrics_parser.text_string_to_metric_families
TARGET = ("123456789012", "us-east-1")
NAMES = [family.name for family in CATALOGUE]
SERIES = re.compile(r'^sagemaker_exporter_series\{family="(\w+)"\} (\d+)$', re.MULTILINE)


def job(number: int) -> TrainingJob:
    return TrainingJob(
        account=TARGET[0],
        region=TARGET[1],
        name=f"job-{number:03d}",
        status="Completed",
        secondary_status="Completed",
        created=1000.0 + number,
        ended=2000.0,
        training_seconds=10.0,
        billable_seconds=10.0,
        instances=(Instances("ml.g5.xlarge", "", 1),),
    )


@pytest.fixture
async def board() -> AsyncIterator[Showing]:
    async with open_ledger("", lambda: 1000.0) as ledger:
        await ledger.begin(TARGET)
        await ledger.apply([Reading.of(job(number), settled=True) for number in range(300)])
        board = Showing(ledger, started=1000.0)
        calls = Calls()
        calls.sent("Search")
        calls.failed("Search", "Timeout")
        board.target(TARGET, ActiveCounts({}, {}), Health("a target", calls, lambda: 1000.0), 300)
        for number in range(300):
            board.job(job(number))
        yield board


async def exposed(board: Showing, openmetrics: bool = False, zipped: bool = False) -> str:
    body = b"".join([piece async for piece in board.metrics(openmetrics, zipped)])
    return (gzip.decompress(body) if zipped else body).decode()


def ours(text: str) -> list[str]:
    """Return the catalogue's families; python's own metrics contain times and sizes."""
    return [line for line in text.splitlines() if "sagemaker_" in line]


@pytest.mark.parametrize("openmetrics", [False, True])
async def test_each_family_has_one_head_above_all_of_its_samples(board: Showing, openmetrics: bool) -> None:
    text = await exposed(board, openmetrics)
    heads = Counter(tuple(line.split()[1:3]) for line in text.splitlines() if line.startswith(("# HELP", "# TYPE")))
    assert set(heads.values()) == {1}
    found = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE sagemaker_")]
    by_name = {re.sub("_(total|info)$", "", name) if openmetrics else name: name for name in NAMES}
    assert [by_name[name] for name in found] == NAMES
    current = ""
    for line in ours(text):
        if line.startswith("# TYPE"):
            current = line.split()[2]
        elif not line.startswith("#"):
            assert line.startswith(current)


async def test_only_openmetrics_has_the_type_info(board: Showing) -> None:
    infos = {name for name in NAMES if name.endswith("_info")}
    types = dict(re.findall(r"^# TYPE (\w+) (\w+)$", await exposed(board), re.MULTILINE))
    assert {types[name] for name in infos} == {"gauge"}
    types = dict(re.findall(r"^# TYPE (\w+) (\w+)$", await exposed(board, openmetrics=True), re.MULTILINE))
    assert {f"{name}_info" for name, kind in types.items() if kind == "info" and name.startswith("sagemaker")} == infos


async def test_both_formats_have_the_same_samples(board: Showing) -> None:
    plain = samples(text_families, await exposed(board))
    other = samples(openmetrics_families, await exposed(board, openmetrics=True))
    assert plain.items() <= other.items()
    more = {name for name, _ in other.keys() - plain.keys()}
    assert more
    assert all(name.endswith("_created") for name in more)


def samples(parse: Parser, text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    found = (sample for family in parse(text) for sample in family.samples)
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for s in found if s.name.startswith("sagemaker_")}


@pytest.mark.parametrize("openmetrics", [False, True])
async def test_the_number_of_series_is_that_of_the_text_format(board: Showing, openmetrics: bool) -> None:
    samples = Counter(re.split(r"[{ ]", line)[0] for line in (await exposed(board)).splitlines())
    told = {name: int(number) for name, number in SERIES.findall(await exposed(board, openmetrics))}
    assert list(told) == NAMES
    for name, number in told.items():
        parts = (name, f"{name}_bucket", f"{name}_sum", f"{name}_count")
        assert number == sum(samples[part] for part in parts), name


async def test_the_order_stays_when_a_job_changes_and_gzip_keeps_it(board: Showing) -> None:
    before = [line.rpartition(" ")[0] for line in ours(await exposed(board)) if "{" in line]
    board.job(replace(job(7), billable_seconds=20.0, instances=(Instances("ml.g5.xlarge", "", 2),)))
    text = await exposed(board)
    assert [line.rpartition(" ")[0] for line in ours(text) if "{" in line] == before
    assert ours(await exposed(board, zipped=True)) == ours(text)
    assert ours(await exposed(board, zipped=True)) == ours(text)
