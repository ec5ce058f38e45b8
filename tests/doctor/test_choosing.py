"""Test which jobs of a listing are described."""

from __future__ import annotations

from exporter.doctor.choosing import ENDED, chosen
from exporter.training.job import TrainingJob, WarmPool


def _job(name: str, status: str, secondary: str = "", pool: str = "") -> TrainingJob:
    found = WarmPool(pool, None, None) if pool else None
    return TrainingJob(account="", region="", name=name, status=status, secondary_status=secondary, warm_pool=found)


def test_one_active_job_and_a_few_ended_ones_of_every_kind_are_chosen() -> None:
    newest = [_job("starting", "InProgress", "Starting"), _job("training", "InProgress", "Training")]
    many = [_job(f"done-{number}", "Completed") for number in range(20)]
    rare = [_job("failed", "Failed"), _job("pooled", "Completed", pool="Terminated"), _job("stopped", "Stopped")]
    names = [job.name for job in chosen(newest + many + rare)]
    assert names[0] == "training"
    assert {"pooled", "done-0", "failed", "stopped"} <= set(names)
    assert len(names) == len(set(names)) == 1 + ENDED


def test_without_a_job_that_trains_the_newest_active_one_is_chosen() -> None:
    jobs = [_job("a", "InProgress", "Starting"), _job("b", "Stopping")]
    assert [job.name for job in chosen(jobs)] == ["a"]
    assert chosen([]) == []
