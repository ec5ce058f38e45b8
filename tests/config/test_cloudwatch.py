"""The section `cloudwatch`: what it means, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from exporter.config import CloudWatch, load
from tests.config.refused import complaints

Write = Callable[[str], str]
NAMES = "names of metrics, in which * and ? stand for any characters"
KINDS = "cpu, memory, gpu, gpu_memory or disk"


def test_nothing_is_requested_unless_asked_for(write: Write) -> None:
    assert not load(write("cloudwatch: {interval: 1m}"), {}).cloudwatch.enabled
    assert load(write("cloudwatch: {utilization: [gpu]}"), {}).cloudwatch.enabled
    found = load(write('cloudwatch: {algorithm_metrics: ["*:loss"], max_metrics_per_hour: 100}'), {}).cloudwatch
    assert found == CloudWatch(algorithm_metrics=("*:loss",), max_metrics_per_hour=100)
    assert found.enabled


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{utilization: gpu}", "utilization: is text, not a list (allowed: a list)"),
        ("{utilization: [gpus]}", f'utilization[0]: "gpus" is not a choice (allowed: {KINDS})'),
        ("{utilization: [gpu, gpu]}", 'utilization: "gpu" is listed twice (allowed: each entry once)'),
        ("{interval: 5s}", 'interval: "5s" is out of range (allowed: 10s to 1h)'),
        (
            "{max_metrics_per_hour: 0}",
            "max_metrics_per_hour: 0 is out of range (allowed: a whole number from 1 to 1000000000)",
        ),
        (
            "{algorithm_metrics: [5]}",
            f"algorithm_metrics[0]: 5 is not the name of a metric (allowed: {NAMES})",
        ),
    ],
    ids=lambda value: value.split(":")[0],
)
def test_a_mistake_is_said(write: Write, text: str, said: str) -> None:
    assert complaints(write(f"cloudwatch: {text}")) == [f"config.yaml:1: cloudwatch.{said}"]
