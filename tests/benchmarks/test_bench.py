"""Test that `make bench`, at a small size, measures every number and reports it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import __main__ as bench
from benchmarks import formats
from tests import postgres
from tests.prometheus import ROOT

pytestmark = pytest.mark.long

JOBS, TARGETS = 12, 4
WAYS = {"describe", "search", "afternoon", "floor"}
_TARGETS = {"read_seconds": 9.0, "commits": 60.0, "memory": [1e8], "cpu": [0.2], "held": [300]}
REPLICAS = {
    "postgres": "15",
    "number": 300,
    "jobs": 3,
    "interval": 15,
    "transactions": {
        "changed": {
            "sqlite": {"wall": 0.05, "cpu": 0.04},
            "postgres": {"wall": 0.1, "cpu": 0.05, "trips": 4, "server": 0.02},
        }
    },
    "targets": {
        "one": _TARGETS,
        "replicas": _TARGETS | {"cpu": [0.1, 0.2], "held": [150, 150], "takeover_seconds": 7.5},
    },
}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Run the benchmarks in a separate process, because they start processes that import its main module."""
    output = tmp_path_factory.mktemp("bench") / "bench.json"
    parts = ["polls", "scrapes", "steps", "prices", *(["replicas"] if postgres.programs() else [])]
    small = ["--jobs", str(JOBS), "--interval", "1", "--targets", str(TARGETS), "--parts", *parts]
    command = [sys.executable, "-m", "benchmarks", *small, "--output", str(output)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(output.read_text())
    return found


def test_polls_ask_for_every_job(results: dict[str, Any]) -> None:
    polls = results["polls"][str(JOBS)]
    assert set(polls) == WAYS
    for way in ("describe", "afternoon"):
        assert polls[way]["calls_start"]["DescribeTrainingJob"] == JOBS
        # On a busy machine, a run of one second may measure too little.
        assert polls[way]["calls_interval"]["DescribeTrainingJob"] > JOBS // 2
    assert polls["search"]["calls_interval"]["Search"] >= 1
    assert polls["search"]["calls_interval"].get("DescribeTrainingJob", 0) < JOBS // 2
    for way in ("describe", "search", "afternoon"):
        assert 0 < polls[way]["cpu_per_job_at_once"] < 1
        assert 0 < polls[way]["ready_seconds"] <= polls[way]["read_seconds"]
    assert all(0 < polls["floor"][call] < 1 for call in ("describe", "search"))


def test_scrapes_are_compared_on_the_same_samples(results: dict[str, Any]) -> None:
    scrapes = results["scrapes"][str(JOBS)]
    assert scrapes["latest"]["samples"] > JOBS * 10
    assert scrapes["cpu"].keys() == {"plain", "gzip_first", "gzip_changed", "gzip_unchanged"}
    assert scrapes["cpu"]["plain"] < scrapes["latest"]["generate"]
    assert scrapes["latest"]["samples"] == scrapes["samples"]


def test_prices_add_little_text_and_some_time(results: dict[str, Any]) -> None:
    prices = results["prices"]
    assert prices["without"].keys() == prices["with"].keys()
    assert all(0 < cost < 1 for cost in (prices["poll"], prices["with"]["first"], prices["with"]["again"]))
    assert 1 < prices["with"]["plain_bytes"] / prices["without"]["plain_bytes"] < 1.1


def test_each_step_of_parsing_costs_something(results: dict[str, Any]) -> None:
    for steps in results["steps"].values():
        assert all(0 < seconds < 0.01 for seconds in steps.values())
        assert steps["exporter"] < steps["botocore"]


@pytest.mark.skipif(postgres.programs() is None, reason="PostgreSQL is not here: hack/postgres.sh")
def test_replicas_are_compared_with_one_process(results: dict[str, Any]) -> None:
    found = results["replicas"]
    for stores in found["transactions"].values():
        assert stores["postgres"]["trips"] == 4
        assert all(stores[store][clock] > 0 for store in ("sqlite", "postgres") for clock in ("wall", "cpu"))
    one, several = found["targets"]["one"], found["targets"]["replicas"]
    assert (one["held"], sorted(several["held"])) == ([TARGETS], [1, 1, 2])
    assert several["commits"] > 0
    assert 6 < several["takeover_seconds"] < 60


def test_the_report_is_written_from_the_results(results: dict[str, Any], tmp_path: Path) -> None:
    source, document = tmp_path / "bench.json", tmp_path / "performance.md"
    # Only a run with more than one size shows how costs grow.
    for part in ("polls", "scrapes"):
        results[part][str(JOBS * 10)] = results[part][str(JOBS)]
    kinds = ("new", "changed")
    results["ledger"] = {f"{kind}_{clock}_seconds": 0.1 for kind in kinds for clock in ("wall", "cpu")}
    results["ledger"] |= {"bytes_per_100000_jobs": 5e7, "open_seconds_per_100000_jobs": 0.5}
    results["replicas"] = REPLICAS
    source.write_text(json.dumps(results))
    bench.main(["--read", str(source), "--document", str(document)])
    text = document.read_text()
    for head in ("Polls", "Start, memory and stalls", "Scrapes", "Growth", "Parsing", "Totals", "Replicas"):
        assert f"## {head}" in text
    assert f"| {JOBS} to {JOBS * 10} |" in text
    assert results["machine"]["python"] in text
    assert "| changed jobs | 4 | 100 ms | 2.0 times | 50 ms | 1.2 times | 20 ms |" in text
    assert "| three replicas | 150, 150 | 10.0%, 20.0% | 1.50 times |" in text
    widths = {line.count("|") for line in text.split("## Scrapes")[1].split("\n\n")[2].splitlines()}
    assert len(widths) == 1


def test_a_report_of_one_part_leaves_the_other_sections_as_they_are() -> None:
    document = "# Performance\n\n## One\n\nfirst\n\n## Two\n\nsecond\n"
    after = formats.updated(document, "# Other\n\n## One\n\nthird\n\n## Three\n\nfourth\n")
    assert after == "# Performance\n\n## One\n\nthird\n\n## Two\n\nsecond\n\n## Three\n\nfourth\n"
    assert formats.updated("", "# Other\n\n## One\n\nthird\n") == "# Other\n\n## One\n\nthird\n"


def test_sizes_are_read_from_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench._parser().parse_args(["--jobs", "1000,1,100"]).jobs == [2, 100, 1000]
    assert bench._parser().parse_args([]).jobs == [100, 1000, 10000]
    with pytest.raises(SystemExit):
        bench._parser().parse_args(["--jobs", "many"])
    assert "--jobs" in capsys.readouterr().err
