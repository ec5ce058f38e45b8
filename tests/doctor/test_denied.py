"""Test what is said when AWS denies, fails or cannot be reached, in one target of several."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from exporter.doctor.asking import Asking
from exporter.doctor.permissions import PERMISSIONS
from exporter.polling.api import ASSUME, DESCRIBE, IDENTITY, LIST, SEARCH, TAGS
from exporter.simulator import Fault, Faults, Kind, Role
from tests.doctor.world import EVERYTHING, REGIONS, ROLE, config, denied, simulated, told

pytestmark = pytest.mark.long

# A policy for each feature that is not needed by default, and settings that need it.
_OPTIONAL: dict[str, dict[str, Any]] = {
    TAGS: {"jobs": {"tags": ["team"]}},
    SEARCH: {"polling": {"strategy": "search"}},
}


@pytest.mark.parametrize("operation", [each for each in PERMISSIONS if each not in (IDENTITY, ASSUME)])
async def test_a_denied_operation_is_named_with_its_policy_and_hides_nothing(
    operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with simulated(monkeypatch, jobs=20) as simulator:
        # The simulator counts a price list where AWS asks for it.
        region = REGIONS[0] if operation != "GetProducts" else None
        simulator.faults = denied(operation, region=region)
        found = await told(simulator, config(*REGIONS, **EVERYTHING))
    assert not found.findings.complete
    (entry,) = found.entries()
    permission = PERMISSIONS[operation]
    assert f"{operation}: AccessDeniedException: not allowed" in entry
    assert f"Allow `{permission.action}`, see deploy/iam/{permission.policy}.json." in entry
    assert entry.startswith("target 1 (us-east-1): " if region else "all 2 targets: ")
    failed = {name for name, result in found.results(1).items() if not result.startswith("ok")}
    # Without a list there are no jobs to ask about.
    assert failed == ({LIST, TAGS, "GetMetricData"} if operation == LIST else {operation}) | (
        {"GetMetricData"} if operation == DESCRIBE else set()
    )
    if region:
        assert set(found.results(2).values()) == {"ok"}


@pytest.mark.parametrize("operation", _OPTIONAL)
async def test_what_the_configuration_does_not_need_may_be_missing(
    operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with simulated(monkeypatch, jobs=20) as simulator:
        simulator.faults = denied(operation)
        found = await told(simulator, config())
        needing = await told(simulator, config(**_OPTIONAL[operation]))
    assert found.findings.complete
    assert not needing.findings.complete
    assert "this configuration does not need it:" in found.report
    assert found.rows()[operation][:2] == ["no", "AccessDeniedException"]
    assert needing.rows()[operation][:2] == ["yes", "AccessDeniedException"]
    assert PERMISSIONS[operation].setting in found.entries()[0]


async def test_a_role_that_cannot_be_assumed_is_one_cause_not_eight(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = config().model_copy(update={"targets": (*config(role=ROLE).targets, *config("eu-west-1").targets)})
    async with simulated(monkeypatch, jobs=20) as simulator:
        simulator.sts.roles = {ROLE: Role(denied=True)}
        found = await told(simulator, settings)
    (entry,) = found.entries()
    assert entry.startswith("target 1 (us-east-1): AssumeRole: AccessDenied: not allowed")
    assert "deploy/iam/assume-role.json" in entry
    assert found.results(1)["ListTrainingJobs"] == "AssumeRole: AccessDenied"
    # Prices are read with the exporter's own credentials.
    assert found.results(1)["GetProducts"] == "ok"
    assert {result for result in found.results(2).values() if not result.startswith("not tried")} == {"ok"}
    assert ROLE not in found.report


async def test_jobs_that_a_policy_denies_by_name_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    async with simulated(monkeypatch, jobs=20) as simulator:
        simulator.faults = Faults((Fault(Kind.ACCESS_DENIED, 0.5, operation=DESCRIBE),), seed=3)
        found = await told(simulator, config())
    number = simulator.errors["123456789012", "us-east-1", DESCRIBE, "AccessDeniedException"]
    assert 0 < number < 7
    assert found.results()[DESCRIBE] == f"{7 - number} ok, {number} AccessDeniedException"
    assert not found.findings.complete


async def test_throttling_is_counted_by_operation(monkeypatch: pytest.MonkeyPatch) -> None:
    async with simulated(monkeypatch, jobs=20) as simulator:
        simulator.faults = Faults((Fault(Kind.THROTTLE, operation=LIST),))
        found = await told(simulator, config())
    assert found.results()[LIST] == "ThrottlingException"
    assert found.rows()[LIST][2] == "3, 3 throttled"
    assert ", 3 throttled." in found.report
    assert not found.findings.complete


async def test_a_mistake_of_ours_hides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("s3cret")

    monkeypatch.setattr(Asking, "_tags", broken)
    async with simulated(monkeypatch, jobs=20) as simulator:
        found = await told(simulator, config())
    assert "InternalError: a mistake of the exporter; please report it" in found.report
    assert "s3cret" not in found.report
    results = found.results()
    assert results.pop(TAGS) == "InternalError"
    assert {result for result in results.values() if not result.startswith("not tried")} == {"ok"}


@pytest.mark.parametrize(
    ("variable", "code"), [("AWS_ACCESS_KEY_ID", "NoCredentials"), ("AWS_DEFAULT_REGION", "NoRegion")]
)
async def test_a_machine_without_settings_is_told_what_to_do(
    variable: str, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with simulated(monkeypatch, jobs=0) as simulator:
        monkeypatch.delenv(variable)
        settings = config() if code == "NoCredentials" else config().model_validate({})
        found = await told(simulator, settings)
    assert not found.findings.complete
    entries = [entry for entry in found.entries() if code in entry]
    assert len(entries) == 1
    assert "AWS_PROFILE" in entries[0] or "AWS_REGION" in entries[0]


async def test_an_endpoint_that_cannot_be_reached_fails_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    async with simulated(monkeypatch, jobs=20) as simulator:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SERVICE_QUOTAS", "http://127.0.0.1:9")
        found = await told(simulator, config())
    assert found.results()["ListServiceQuotas"] == "ConnectionRefused"
    assert set(found.results().values()) - {"ok", "ConnectionRefused"} == {found.results()["GetMetricData"]}


async def _say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


async def test_an_endpoint_that_never_answers_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = await asyncio.start_server(_say_nothing, "127.0.0.1", 0)
    async with silent, simulated(monkeypatch, jobs=20) as simulator:
        port = silent.sockets[0].getsockname()[1]
        monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER", f"http://127.0.0.1:{port}")
        settings = config(**{**EVERYTHING, "polling": {"strategy": "search", "timeout": "100ms"}})
        found = await told(simulator, settings)
    results = found.results()
    untried = {name for name, result in results.items() if result == "not tried: ListTrainingJobs had no answer"}
    assert untried == {DESCRIBE, TAGS, SEARCH, "GetMetricData"}
    assert results[LIST] == "Timeout"
    assert not found.findings.complete
