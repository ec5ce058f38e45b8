"""Test the length of the report, and which targets it shows in full."""

from __future__ import annotations

from exporter.doctor.findings import Failure, Findings, Reading, Section
from exporter.doctor.permissions import PERMISSIONS
from exporter.doctor.report import markdown
from exporter.polling.api import LIST
from tests.doctor.world import config

# The most characters that GitHub accepts in an issue, which has other fields, too.
ISSUE = 65_536
DENIED = Failure(
    LIST, "AccessDeniedException", "not allowed; the policy of the credentials or role lacks this operation", True
)


def _section(number: int, failing: bool) -> Section:
    readings = [
        Reading(
            operation,
            wanted=True,
            done=not (failing and operation == LIST),
            failures={DENIED: 1} if failing and operation == LIST else {},
            found="100 listed, 17 active, more pages",
            seconds=(0.1,) * 12,
        )
        for operation in PERMISSIONS
    ]
    return Section(f"target {number} (ap-northeast-1)", tuple(readings), ahead=0.1, seconds=12.0)


def _report(sections: list[Section]) -> str:
    return markdown(Findings("versions", "settings", Reading("state", wanted=True, done=1), tuple(sections)), config())


def test_few_targets_are_shown_in_full() -> None:
    report = _report([_section(number, failing=False) for number in range(1, 9)])
    assert report.count("\n## target ") == 8
    assert "Other targets" not in report


def test_of_many_targets_those_that_fail_are_shown_in_full() -> None:
    report = _report([_section(number, failing=number in (50, 70)) for number in range(1, 101)])
    titles = [line for line in report.splitlines() if line.startswith("## ")]
    assert titles[-4:-1] == ["## target 50 (ap-northeast-1)", "## target 70 (ap-northeast-1)", "## Other targets"]
    assert (titles[-1], len(titles)) == ("## State", 10)
    others = report.split("## Other targets")[1]
    assert others.count("| none ") == 92
    assert "| target 100 (ap-northeast-1) " in others


def test_the_report_of_hundreds_of_targets_fits_into_an_issue() -> None:
    for failing in (False, True):
        report = _report([_section(number, failing) for number in range(1, 301)])
        # Differences take their place, too.
        assert len(report) < ISSUE - 15_000
        assert ("all 300 targets: ListTrainingJobs: AccessDeniedException" in report) == failing
        assert all(f"target {number} (ap-northeast-1)" in report for number in range(1, 301))
