"""Test the report on an AWS that allows everything and behaves as assumed."""

from __future__ import annotations

import asyncio
import re

import pytest

from exporter.doctor.asking import Asking
from exporter.doctor.assumptions import ASSUMPTIONS
from exporter.doctor.examination import examine
from exporter.doctor.permissions import PERMISSIONS
from exporter.doctor.report import markdown
from exporter.polling.api import ASSUME, IDENTITY
from tests.doctor.world import ACCOUNT, EVERYTHING, ROLE, Wrong, config, simulated, told

pytestmark = pytest.mark.long


async def test_everything_is_asked_once_and_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    async with simulated(monkeypatch) as simulator:
        found = await told(simulator, config("us-east-1", "eu-west-1", **EVERYTHING))
    assert found.findings.complete
    assert "**Everything that this configuration needs is there.**" in found.report
    expected = {operation: "ok" for operation in PERMISSIONS if operation != ASSUME}
    assert found.results(1) == expected
    assert found.results(2) == expected
    assert re.fullmatch(r"\d+ listed, \d+ active", found.rows(1)["ListTrainingJobs"][4])
    assert found.rows(1)["DescribeTrainingJob"][4] == "7 described, 6 ended"
    assert re.fullmatch(r"\d+ of training, \d+ of spot_training, 0 of warm_pool", found.rows(1)["GetProducts"][4])
    assert re.fullmatch(r"\d+ of CPUUtilization, the newest \d+ minutes old", found.rows(1)["GetMetricData"][4])
    asked = {operation: number for (_, region, operation), number in simulator.calls.items() if region == "us-east-1"}
    # A read of quotas has 18 pages, and one of prices two queries; a price list is asked of us-east-1 for every region.
    assert asked == {
        **dict.fromkeys(("GetCallerIdentity", "ListTrainingJobs", "Search", "ListTags", "GetMetricData"), 1),
        "DescribeTrainingJob": 7,
        "GetProducts": 4,
        "ListServiceQuotas": 18,
    }


async def test_targets_are_asked_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    all_here = asyncio.Barrier(2)

    async def identity(_: Asking) -> None:
        await all_here.wait()

    monkeypatch.setattr(Asking, "identity", identity)
    async with simulated(monkeypatch, jobs=0) as simulator, asyncio.timeout(60):
        found = await told(simulator, config("us-east-1", "eu-west-1"))
    assert found.results(1)["Search"] == found.results(2)["Search"] == "ok"


async def test_another_account_is_asked_through_its_role(monkeypatch: pytest.MonkeyPatch) -> None:
    async with simulated(monkeypatch) as simulator:
        found = await told(simulator, config(role=ROLE, **EVERYTHING))
    assert found.results() == {operation: "ok" for operation in PERMISSIONS if operation != IDENTITY}
    own = {operation for account, _, operation in simulator.calls if account == ACCOUNT}
    assert own == {"AssumeRole", "GetProducts"}
    assert ROLE not in found.report


async def test_what_is_assumed_of_ended_jobs_holds_and_tables_are_aligned(monkeypatch: pytest.MonkeyPatch) -> None:
    async with simulated(monkeypatch) as simulator:
        found = await told(simulator, config("us-east-1", "eu-west-1"))
    assert "No difference." in found.report
    assert "asked of ended jobs: 12" in found.report
    table = found.report.split("\n## ")[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line.startswith("|")
    ]
    assert [row[0] for row in rows[2:]] == [each.text for each in ASSUMPTIONS]
    assert {row[2] for row in rows[2:]} == {"-"}
    assert sum(row[1] != "-" for row in rows[2:]) >= len(ASSUMPTIONS) - 1
    blocks = [block.splitlines() for block in found.report.split("\n\n") if block.startswith("|")]
    assert len(blocks) == 4
    assert all(len({len(line) for line in block}) == 1 for block in blocks)


async def test_cloudwatch_is_not_asked_unless_the_configuration_pays_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async with simulated(monkeypatch) as simulator:
        found = await told(simulator, config())
    assert found.results()["GetMetricData"] == "not tried: cloudwatch.* is off, and AWS bills each metric"
    assert "GetMetricData" not in {operation for _, _, operation in simulator.calls}
    assert found.findings.complete


async def test_an_account_without_jobs_proves_its_permissions(monkeypatch: pytest.MonkeyPatch) -> None:
    async with simulated(monkeypatch, jobs=0) as simulator:
        found = await told(simulator, config(**EVERYTHING))
    results = found.results()
    assert (results["ListTrainingJobs"], results["DescribeTrainingJob"], results["Search"]) == ("ok", "ok", "ok")
    assert results["ListTags"] == results["GetMetricData"] == "not tried: there is no job to ask about"
    assert found.findings.complete
    assert "could not be checked" in found.report


async def test_the_same_account_and_region_twice_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    own = f"arn:aws:iam::{ACCOUNT}:role/sagemaker-exporter"
    settings = config().model_copy(update={"targets": (*config().targets, *config(role=own).targets)})
    async with simulated(monkeypatch) as simulator:
        found = await told(simulator, settings)
    assert not found.findings.complete
    assert "DuplicateTarget" in found.results(1)["GetCallerIdentity"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, "Clock: this machine's and AWS's agree within 2 s."),
        (40.0, "Clock: this machine's is 40 s behind AWS's."),
        (-400.0, "Clock: this machine's is 400 s ahead of AWS's; set it, for example by NTP: AWS refuses requests."),
    ],
)
async def test_a_wrong_clock_is_told(monkeypatch: pytest.MonkeyPatch, seconds: float, words: str) -> None:
    async with simulated(monkeypatch) as simulator:
        settings = config()
        report = markdown(await examine(settings, Wrong(simulator.clock, seconds)), settings)
    assert words in report.splitlines()
