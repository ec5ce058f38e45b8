"""Test each assumption about ended jobs on a job that confirms it, one that breaks it, and one that says nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from exporter.doctor.assumptions import ASSUMPTIONS, Ended, Tally, last_change, tallies
from exporter.training.job import Instances, TrainingJob, Transition, WarmPool

_NOW, _DAY = 1_700_100_000.0, 86400.0
_END = _NOW - 2 * _DAY
JOB = TrainingJob(
    account="",
    region="",
    name="a",
    status="Completed",
    secondary_status="Completed",
    created=_END - 4000,
    started=_END - 3600,
    ended=_END,
    modified=_END + 13,
    training_seconds=3600.0,
    billable_seconds=1800.0,
    spot=True,
    instances=(Instances("ml.m5.large", "", 1),),
    keep_alive_seconds=600.0,
    warm_pool=WarmPool("Terminated", 600.0, None),
)
_SAME = replace(JOB)


def _asked(
    job: TrainingJob, listed: TrainingJob | None = _SAME, indexed: TrainingJob | None = _SAME
) -> list[bool | None]:
    return [each.holds(Ended(job, listed, indexed, _NOW)) for each in ASSUMPTIONS]


def test_a_job_as_assumed_confirms_everything() -> None:
    assert _asked(JOB) == [True] * len(ASSUMPTIONS)


@pytest.mark.parametrize(
    ("words", "job"),
    [
        ("shows when and how it ended", replace(JOB, status="Deleting", secondary_status="Sleeping", ended=None)),
        ("in this order", replace(JOB, started=_END + 10)),
        ("not before TrainingEndTime", replace(JOB, modified=_END - 10)),
        ("within 24 hours", replace(JOB, billable_seconds=None)),
        ("at most TrainingTimeInSeconds", replace(JOB, billable_seconds=3601.0)),
        ("Only a job with KeepAlive", replace(JOB, keep_alive_seconds=None)),
        ("that started has WarmPoolStatus", replace(JOB, warm_pool=None)),
        ("Reused or Terminated", replace(JOB, warm_pool=WarmPool("Available", 600.0, None))),
        ("has its billed seconds", replace(JOB, warm_pool=WarmPool("Terminated", None, None))),
        ("has its billed seconds", replace(JOB, warm_pool=WarmPool("Terminated", 1201.0, None))),
    ],
)
def test_a_job_that_breaks_an_assumption_is_counted(words: str, job: TrainingJob) -> None:
    (found,) = [tally for tally in tallies([Ended(job, None, None, _NOW)]) if words in tally.text]
    assert found.holds == 0
    assert len(found.broken_by) == 1
    assert "spot" in found.broken_by[0]


@pytest.mark.parametrize(
    ("words", "other"),
    [
        ("CreationTime is the same", replace(JOB, created=_END - 4001)),
        ("LastModifiedTime is the same in ListTrainingJobs", replace(JOB, modified=_END + 60)),
        ("Search has the same", replace(JOB, billable_seconds=1799.0)),
        ("Search has the same", replace(JOB, modified=_END + 60)),
    ],
)
def test_operations_that_disagree_are_counted(words: str, other: TrainingJob) -> None:
    (found,) = [tally for tally in tallies([Ended(JOB, other, other, _NOW)]) if words in tally.text]
    assert found == Tally(found.text, 0, ("Completed spot warm pool",))


def test_what_is_still_to_come_says_nothing() -> None:
    fresh = Ended(replace(JOB, billable_seconds=None, warm_pool=None), None, None, _END + 60)
    waiting = {each.text for each in ASSUMPTIONS if each.holds(fresh) is None}
    assert {text.split(" ")[0] for text in waiting} >= {"A", "BillableTimeInSeconds", "Search", "LastModifiedTime"}
    assert [tally.broken_by for tally in tallies([fresh])] == [()] * len(ASSUMPTIONS)


def test_a_job_that_changed_just_now_may_differ_between_two_reads() -> None:
    fresh, earlier = replace(JOB, modified=_NOW - 60), replace(JOB, modified=_NOW - 120, billable_seconds=1.0)
    asked = {each.text: each.holds(Ended(fresh, earlier, earlier, _NOW)) for each in ASSUMPTIONS}
    assert {text for text, holds in asked.items() if holds is None} == {
        "LastModifiedTime is the same in ListTrainingJobs",
        "Search has the same status, bill, warm pool and LastModifiedTime",
    }


def test_a_job_that_failed_early_breaks_nothing() -> None:
    early = TrainingJob(
        account="",
        region="",
        name="b",
        status="Failed",
        secondary_status="Failed",
        created=_END,
        modified=_END + 5,
        transitions=(Transition("Failed", _END + 4, _END + 4),),
        failure_category="ClientError",
    )
    assert [tally.broken_by for tally in tallies([Ended(early, early, early, _NOW)])] == [()] * len(ASSUMPTIONS)


@pytest.mark.parametrize(
    ("modified", "words"),
    [(1.0, "at the end"), (13.0, "within a minute"), (700.0, "within an hour"), (4000.0, "later"), (None, "unknown")],
)
def test_the_last_change_is_told_in_words(modified: float | None, words: str) -> None:
    assert last_change(replace(JOB, modified=None if modified is None else _END + modified)) == words
