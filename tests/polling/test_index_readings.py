"""Test that fields known from a describe are kept, although the search index does not have them."""

from __future__ import annotations

from typing import Any

from exporter.polling.api import Calls
from exporter.polling.failures import RecentFailures
from exporter.polling.health import Health
from exporter.polling.intake import Intake, Updates
from exporter.polling.tracker import Tracker, TrackerTiming
from exporter.simulator.answers import NOT_IN_SEARCH
from exporter.training.job import TrainingJob
from exporter.training.parsing import Allowlist

RUNNING: dict[str, Any] = {
    "TrainingJobName": "tuned",
    "TrainingJobStatus": "InProgress",
    "SecondaryStatus": "Training",
    "CreationTime": 1000.0,
    "LastModifiedTime": 1000.0,
    "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
    "ServerlessJobConfig": {
        "JobType": "FineTuning",
        "CustomizationTechnique": "SFT",
        "BaseModelArn": "a:hub/Model/m/1",
    },
    "ProgressInfo": {"CurrentEpoch": 1},
    "ProfilerRuleEvaluationStatuses": [{"RuleConfigurationName": "report", "RuleEvaluationStatus": "InProgress"}],
}


def test_what_only_a_describe_tells_outlives_the_readings_of_the_index() -> None:
    tracker = Tracker(TrackerTiming(30.0, 120.0, 3600.0))
    health, failures = Health("a target", Calls(), lambda: 1000.0), RecentFailures(lambda: 1000.0, 86400.0)
    intake, updates = Intake("1", "r", Allowlist(), tracker, health, failures), Updates.none()

    def record(**changes: Any) -> TrainingJob:
        found = intake.parse({**RUNNING, **changes})
        assert found is not None
        return found

    intake.track(record(), 0.0, updates)
    intake.described(record(), 1000.0, 0.0, updates)
    indexed = intake.parse({k: v for k, v in {**RUNNING, "LastModifiedTime": 1060.0}.items() if k not in NOT_IN_SEARCH})
    assert indexed is not None
    assert indexed.serverless != record().serverless
    intake.indexed(indexed, 1060.0, 60.0, updates)
    shown = updates.jobs["tuned"]
    assert shown.modified == 1060.0
    assert (shown.serverless, shown.progress, shown.rules) == (
        record().serverless,
        record().progress,
        record().rules,
    )
