"""The simulated CloudWatch against the service model of the SDK, and the lives that it tells of."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator

from exporter.prices.hardware import hardware_of
from exporter.simulator import Life, steady
from exporter.simulator import cloudwatch as simulated
from exporter.simulator.errors import ApiError
from exporter.simulator.life import Group
from exporter.simulator.request import INSTANCE_TYPES
from exporter.simulator.store import Jobs

START = 1_700_000_040.0
NOW = START + 3000.0


def life(name: str = "a", *groups: Group, seconds: float = 2000.0) -> Life:
    (one,) = steady(1, START, name, seconds)
    return replace(one, name=name, groups=groups or one.groups)


def query(number: int, metric: str, dimension: str, value: str, **stat: Any) -> dict[str, Any]:
    named = {
        "Namespace": simulated.NAMESPACE,
        "MetricName": metric,
        "Dimensions": [{"Name": dimension, "Value": value}],
    }
    return {"Id": f"q{number}", "MetricStat": {"Metric": named, "Period": 60, "Stat": "Average", **stat}}


def ask(jobs: Jobs, *queries: dict[str, Any], now: float = NOW, minutes: int = 60) -> list[dict[str, Any]]:
    request = {"MetricDataQueries": list(queries), "StartTime": now - 60 * minutes, "EndTime": now}
    model = botocore.session.get_session().get_service_model("cloudwatch").operation_model("GetMetricData")
    assert model.input_shape
    assert model.output_shape
    assert not ParamValidator().validate(request, model.input_shape).has_errors()
    answer = simulated.get_metric_data(request, jobs, now)
    assert not ParamValidator().validate(answer, model.output_shape).has_errors()
    found: list[dict[str, Any]] = answer["MetricDataResults"]
    assert [each["Id"] for each in found] == [each["Id"] for each in queries]
    return found


def stored(*lives: Life) -> Jobs:
    jobs = Jobs()
    jobs.add(*lives)
    return jobs


def test_values_are_of_whole_minutes_on_instances_newest_first() -> None:
    (found,) = ask(stored(life()), query(0, "GPUUtilization", "Host", "a/algo-1"))
    times = found["Timestamps"]
    assert times == sorted(times, reverse=True)
    # It has instances from 60 s after its creation on, for 2030 s.
    assert (times[-1], times[0]) == (START + 60, START + 2040)
    assert len(times) == len(found["Values"]) == 34
    assert all(0 <= value <= 100 for value in found["Values"])
    (now,) = ask(stored(life()), query(0, "GPUUtilization", "Host", "a/algo-1"), now=START + 310)
    # The minute that is not over has no value yet.
    assert now["Timestamps"][0] == START + 240


@pytest.mark.parametrize(
    "asked",
    [
        query(0, "GPUUtilization", "Host", "a/algo-2"),
        query(0, "GPUUtilization", "Host", "b/algo-1"),
        query(0, "GPUUtilization", "TrainingJobName", "a"),
        query(0, "train:loss", "Host", "a/algo-1"),
        query(0, "loss", "TrainingJobName", "a"),
        query(0, "GPUUtilization", "Host", "a/algo-1", Period=300),
    ],
)
def test_what_there_is_not_has_no_values_and_is_no_error(asked: dict[str, Any]) -> None:
    (found,) = ask(stored(life()), asked)
    assert (found["Values"], found["StatusCode"]) == ([], "Complete")


def test_hardware_is_that_of_the_instance_types() -> None:
    types = {*INSTANCE_TYPES, "ml.c5n.18xlarge"}
    assert types == simulated.HARDWARE.keys()
    for name in types:
        known = hardware_of(name)
        assert simulated.HARDWARE[name] == (known.vcpus, known.gpus), name


def test_groups_do_not_have_their_hosts_in_order() -> None:
    mixed = life("a", Group("ml.p4d.24xlarge", 1, "trainers"), Group("ml.c5n.18xlarge", 2, "loaders"))
    assert [*simulated.hosts(mixed).values()] == ["ml.c5n.18xlarge"] * 2 + ["ml.p4d.24xlarge"]
    queries = [query(n, "GPUUtilization", "Host", f"a/algo-{n}") for n in (1, 2, 3)]
    assert [bool(found["Values"]) for found in ask(stored(mixed), *queries)] == [False, False, True]


def test_some_jobs_are_idle_some_hosts_lag_and_some_curves_diverge() -> None:
    lives = [life(f"job-{number}", Group("ml.g5.2xlarge", 2)) for number in range(100)]
    jobs = stored(*lives)
    idle = [one for one in lives if simulated.leaves_gpus_idle(one)]
    late = [one for one in lives if simulated.late_by(one, "algo-2")]
    diverging = [one for one in lives if simulated.diverges(one)]
    assert all(5 < len(found) < 50 for found in (idle, late, diverging))
    (found,) = ask(jobs, query(0, "GPUUtilization", "Host", f"{idle[0].name}/algo-1"))
    assert max(found["Values"]) < 3
    first, second = ask(
        jobs, *(query(n, "CPUUtilization", "Host", f"{late[0].name}/algo-{n}") for n in (1, 2)), now=START + 610
    )
    assert first["Timestamps"][0] - second["Timestamps"][0] == 60
    well = next(one for one in lives if one not in diverging)
    bad, good = ask(jobs, *(query(n, "train:loss", "TrainingJobName", (diverging[0], well)[n].name) for n in (0, 1)))
    assert bad["Values"][0] > bad["Values"][len(bad["Values"]) // 2]
    assert good["Values"][0] < good["Values"][-1] / 5


@pytest.mark.parametrize(
    "request_",
    [
        {"MetricDataQueries": [], "StartTime": 0, "EndTime": 1},
        {"MetricDataQueries": [query(n, "x", "Host", "a/algo-1") for n in range(501)], "StartTime": 0, "EndTime": 1},
        {"MetricDataQueries": [query(0, "x", "Host", "a/algo-1")], "StartTime": 1, "EndTime": 1},
    ],
)
def test_bad_requests_are_refused(request_: dict[str, Any]) -> None:
    with pytest.raises(ApiError, match="ValidationError"):
        simulated.get_metric_data(request_, Jobs(), NOW)
