"""Which metrics are requested of which jobs, and how CloudWatch's percentages become ratios."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.cloudwatch.api import HOST, JOB_NAME, Metric, Series
from exporter.cloudwatch.families import UTILIZATION_METRICS, Emitted
from exporter.cloudwatch.planning import JobPlan, Selection, fitting, is_active, plan
from exporter.cloudwatch.ratios import latest, utilization
from exporter.prices.hardware import hardware_of
from exporter.training.job import Instances, TrainingJob

ALL = Selection(tuple(UTILIZATION_METRICS), ("*",))
MINUTE = 1_700_000_040.0


def job(name: str = "a-job", *instances: Instances, **fields: Any) -> TrainingJob:
    found = instances or (Instances("ml.g5.2xlarge", "", 1),)
    told = {"status": "InProgress", "secondary_status": "Training", "created": 1.0, "started": 2.0, **fields}
    return TrainingJob(account="1", region="r", name=name, instances=found, **told)


def planned(one: TrainingJob, selection: Selection = ALL) -> JobPlan:
    return plan(one, selection, hardware_of)


def answers(each: JobPlan, *told: tuple[str, str, float], minute: float = MINUTE) -> dict[Metric, Series]:
    return {each.of_host(kind, host): Series(((minute, percent),)) for kind, host, percent in told}


def test_names_follow_from_the_job_and_its_number_of_instances() -> None:
    one = job("a-job", Instances("ml.g5.2xlarge", "", 2), metric_names=("train:loss", "validation:acc"))
    found = list(planned(one, Selection(("gpu", "disk"), ("train:*",))).metrics())
    assert found == [
        Metric("GPUUtilization", HOST, "a-job/algo-1"),
        Metric("GPUUtilization", HOST, "a-job/algo-2"),
        Metric("DiskUtilization", HOST, "a-job/algo-1"),
        Metric("DiskUtilization", HOST, "a-job/algo-2"),
        Metric("train:loss", JOB_NAME, "a-job"),
    ]
    assert planned(one, Selection(("gpu", "disk"), ("train:*",))).size == len(found)


def test_what_could_not_be_shown_is_not_requested() -> None:
    assert planned(job("cpu", Instances("ml.m5.xlarge", "", 1))).kinds == ("cpu", "memory", "disk")
    unknown = planned(job("new", Instances("ml.z9.xlarge", "", 3)))
    assert (unknown.kinds, unknown.unknown) == (("memory", "disk"), ("ml.z9.xlarge",))
    assert planned(job("new", Instances("ml.z9.xlarge", "", 3)), Selection(("memory",))).unknown == ()
    assert planned(job(), Selection(("gpu",))).names == ()
    assert planned(job("cpu", Instances("ml.m5.xlarge", "", 1)), Selection(("gpu",))).size == 0


@pytest.mark.parametrize(
    ("told", "active"),
    [
        ({}, True),
        ({"status": "Stopping", "secondary_status": "Stopping"}, True),
        ({"secondary_status": "Starting"}, False),
        ({"secondary_status": "Interrupted"}, False),
        ({"started": None}, False),
        ({"status": "Completed", "secondary_status": "Completed"}, False),
    ],
)
def test_jobs_are_active_while_they_hold_instances(told: dict[str, Any], active: bool) -> None:
    assert is_active(job(**told)) is active


def test_algorithm_metrics_are_chosen_by_wildcards_and_case() -> None:
    names = ("train:loss", "validation:loss", "Train:Loss", "lr")
    one = job(metric_names=names)
    assert Selection((), ("*:loss",)).names(one) == ("train:loss", "validation:loss")
    assert Selection((), ("l?", "train:loss")).names(one) == ("train:loss", "lr")
    assert Selection((), ("*",)).names(one) == names


def test_the_guard_leaves_out_the_youngest_and_never_a_part_of_a_job() -> None:
    plans = [planned(job(f"j{age}", Instances("ml.g5.2xlarge", "", size), created=float(-age)), Selection(("gpu",)))
             for age, size in ((1, 2), (2, 5), (3, 1), (4, 3))]  # fmt: skip
    kept, left_out = fitting(plans, 6)
    assert [each.job.name for each in kept] == ["j4", "j3", "j1"]
    assert [each.job.name for each in left_out] == ["j2"]
    assert fitting(plans, 11)[1] == []
    assert fitting(plans, 0)[0] == []


def test_percent_of_one_core_or_gpu_becomes_a_share_of_the_whole_instance() -> None:
    one = planned(job("a", Instances("ml.p4d.24xlarge", "", 1)))
    told = [("cpu", 4800.0), ("memory", 97.0), ("gpu", 200.0), ("gpu_memory", 800.0), ("disk", 0.0)]
    found = utilization(one, answers(one, *((kind, "algo-1", value) for kind, value in told)), hardware_of)
    assert found
    assert found.minute == MINUTE
    assert {kind: rows[0][1] for kind, rows in found.ratios.items()} == {
        "cpu": 0.5, "memory": 0.97, "gpu": 0.25, "gpu_memory": 1.0, "disk": 0.0,
    }  # fmt: skip


def test_an_unknown_value_is_no_sample() -> None:
    one = planned(job("a", Instances("ml.g5.2xlarge", "", 2)))
    found = utilization(one, answers(one, ("gpu", "algo-2", 50.0)), hardware_of)
    assert found
    assert found.ratios == {"gpu": (("algo-2", 0.5),)}
    assert utilization(one, {}, hardware_of) is None
    assert utilization(one, {one.of_host("gpu", "algo-1"): Series(())}, hardware_of) is None


def series(*minutes: int) -> Series:
    return Series(tuple((MINUTE + 60 * minute, float(minute)) for minute in minutes))


@pytest.mark.parametrize(
    ("first", "second", "minute", "hosts"),
    [
        # All hosts speak of the same minute: the newest that most have.
        (series(5, 4, 3), series(5, 4, 3), 5, 2),
        (series(5, 4, 3), series(4, 3), 4, 2),
        (series(5, 4, 3), series(3, 2), 3, 2),
        # One that is silent for longer is not waited for.
        (series(5, 4, 3), series(2, 1), 5, 1),
        (series(5, 3), series(4, 2), 5, 1),
    ],
)
def test_hosts_that_lag_behind_are_waited_for_some_minutes(
    first: Series, second: Series, minute: int, hosts: int
) -> None:
    one = planned(job("a", Instances("ml.g5.2xlarge", "", 2)), Selection(("gpu",)))
    told = {one.of_host("gpu", "algo-1"): first, one.of_host("gpu", "algo-2"): second}
    found = utilization(one, told, hardware_of)
    assert found
    assert (found.minute - MINUTE) / 60 == minute
    assert len(found.ratios["gpu"]) == hosts


def test_in_a_heterogeneous_cluster_gpu_metrics_tell_which_host_is_which() -> None:
    mixed = job("a", Instances("ml.p4d.24xlarge", "trainers", 1), Instances("ml.c5n.18xlarge", "loaders", 2))
    one = planned(mixed, Selection(("cpu", "memory", "gpu")))
    assert one.hosts == ("algo-1", "algo-2", "algo-3")
    cpu = [("cpu", host, 3600.0) for host in one.hosts]
    found = utilization(one, answers(one, *cpu, ("gpu", "algo-2", 400.0), ("memory", "algo-1", 50.0)), hardware_of)
    assert found
    assert found.ratios == {
        "cpu": (("algo-1", 0.5), ("algo-2", 0.375), ("algo-3", 0.5)),
        "memory": (("algo-1", 0.5),),
        "gpu": (("algo-2", 0.5),),
    }
    # While no host reports a GPU, any of them may be the one with 96 vCPUs.
    found = utilization(one, answers(one, *cpu, ("memory", "algo-1", 50.0)), hardware_of)
    assert found
    assert found.ratios == {"memory": (("algo-1", 0.5),)}


def test_groups_of_equal_hardware_need_nothing_to_be_told_apart() -> None:
    groups = (Instances("ml.m5.xlarge", "a", 1), Instances("ml.c5.xlarge", "b", 1))
    one = planned(job("a", *groups), Selection(("cpu",)))
    found = utilization(one, answers(one, ("cpu", "algo-1", 100.0), ("cpu", "algo-2", 400.0)), hardware_of)
    assert found
    assert found.ratios == {"cpu": (("algo-1", 0.25), ("algo-2", 1.0))}


def test_the_latest_value_of_an_algorithm_metric_counts() -> None:
    one = planned(job(metric_names=("loss", "acc")), Selection((), ("*",)))
    told = {one.of_job("loss"): Series(((MINUTE + 60, 0.5), (MINUTE, 0.7))), one.of_job("acc"): Series(())}
    assert latest(one, told) == {"loss": Emitted(0.5, MINUTE + 60)}
