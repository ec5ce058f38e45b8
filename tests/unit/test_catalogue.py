"""Test the catalogue against DESIGN's list, repeated here on purpose because dashboards depend on these names."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from exporter.catalogue import CATALOGUE
from exporter.cloudwatch.families import (
    ALGORITHM_METRICS,
    REQUESTED,
    UTILIZATION,
    UTILIZATION_METRICS,
    Emitted,
    Requested,
    Utilization,
)
from exporter.ledger.sums import TOTALS
from exporter.polling.families import TARGETS, TargetHealth
from exporter.polling.sources import SOURCES
from exporter.prices.book import Hardware
from exporter.prices.families import HARDWARE, PRICES, ListPrices
from exporter.process.families import PROCESS, ProcessHealth
from exporter.quotas.applied import Quotas
from exporter.quotas.families import QUOTAS
from exporter.replicas.families import HELD
from exporter.training.active import ACTIVE, ActiveCounts
from exporter.training.cost import Rate
from exporter.training.facts import Facts
from exporter.training.families import JOBS, JobView
from exporter.training.job import Instances, TrainingJob, Transition, WarmPool
from exporter.training.parsing import Allowlist, parse
from exporter.training.usage import USAGES

ID, TARGET, INSTANCE = (
    "aws_account_id aws_region job_name",
    "aws_account_id aws_region",
    "instance_type instance_group",
)
JOB = {
    "info": "instance_type training_image algorithm_name input_mode spot tuning_job automl_job labeling_job experiment"
    " trial training_plan serverless_job_type customization_technique base_model",
    "tags": "tag_KEY",
    "hyperparameters": "hyperparameter_KEY",
    "security_info": "network_isolation inter_container_encryption vpc volume_kms output_kms",
    "status": "status",
    "secondary_status": "secondary_status",
    "secondary_status_start_timestamp_seconds": "",
    "waiting_info": "reason",
    "creation_timestamp_seconds": "",
    "training_start_timestamp_seconds": "",
    "training_end_timestamp_seconds": "",
    "last_modified_timestamp_seconds": "",
    "training_seconds": "",
    "billable_seconds": "",
    "billable_instance_seconds": INSTANCE,
    "cost": f"{INSTANCE} usage currency",
    "cost_per_hour": "currency",
    "spot_savings_ratio": "",
    "instances": INSTANCE,
    "volume_size_bytes": "",
    "max_runtime_seconds": "",
    "max_wait_seconds": "",
    "max_pending_seconds": "",
    "deadline_timestamp_seconds": "limit",
    "warm_pool_keep_alive_seconds": "",
    "retry_max_attempts": "",
    "phase_seconds": "secondary_status",
    "secondary_status_transitions": "secondary_status",
    "final_metric": "metric_name",
    "final_metric_timestamp_seconds": "metric_name",
    "warm_pool_status": "status",
    "warm_pool_retained_billable_seconds": "",
    "warm_pool_retained_billable_instance_seconds": INSTANCE,
    "warm_pool_reused_by_info": "reused_by_job",
    "failure_info": "category detail reason",
    "rule_evaluation_status": "kind rule status",
    "progress_epoch": "",
    "progress_max_epoch": "",
    "progress_step": "",
    "progress_steps_per_epoch": "",
    "billable_tokens": "",
    "cpu_utilization_ratio": "host",
    "memory_utilization_ratio": "host",
    "gpu_utilization_ratio": "host",
    "gpu_memory_utilization_ratio": "host",
    "disk_utilization_ratio": "host",
    "utilization_timestamp_seconds": "",
    "algorithm_metric": "metric_name",
    "algorithm_metric_timestamp_seconds": "metric_name",
}
FLEET = {
    "jobs": ("gauge", "status secondary_status"),
    "instances": ("gauge", "instance_type usage"),
    "unbilled_jobs": ("gauge", ""),
    "cost_per_hour": ("gauge", "instance_type usage currency"),
    "jobs_created_total": ("counter", ""),
    "jobs_finished_total": ("counter", "status"),
    "jobs_failed_total": ("counter", "category"),
    "jobs_stopped_total": ("counter", "cause"),
    "seconds_total": ("counter", "spot"),
    "billable_seconds_total": ("counter", "spot"),
    "instance_seconds_total": ("counter", "instance_type spot"),
    "billable_instance_seconds_total": ("counter", "instance_type spot"),
    "cost_total": ("counter", "instance_type usage currency"),
    "spot_saved_cost_total": ("counter", "instance_type currency"),
    "unpriced_instance_seconds": ("gauge", "instance_type reason"),
    "spot_interruptions_total": ("counter", ""),
    "warm_pool_retained_billable_seconds_total": ("counter", ""),
    "warm_pool_retained_billable_instance_seconds_total": ("counter", "instance_type"),
    "warm_pool_reuses_total": ("counter", ""),
    "job_duration_seconds": ("histogram", "status"),
    "phase_duration_seconds": ("histogram", "secondary_status"),
    "queue_duration_seconds": ("histogram", "instance_type spot"),
    "quota_instances": ("gauge", "instance_type usage"),
    "quota_all_instances": ("gauge", ""),
}
OWN = {
    "target_held": ("gauge", TARGET),
    "target_up": ("gauge", TARGET),
    "target_jobs": ("gauge", TARGET),
    "target_last_success_timestamp_seconds": ("gauge", TARGET),
    "target_poll_duration_seconds": ("gauge", TARGET),
    "api_requests_total": ("counter", f"{TARGET} operation"),
    "api_errors_total": ("counter", f"{TARGET} operation code"),
    "unknown_status_total": ("counter", f"{TARGET} status"),
    "source_up": ("gauge", f"{TARGET} source"),
    "cloudwatch_metrics_requested_total": ("counter", TARGET),
    "build_info": ("info", "version pythonversion"),
    "config_reload_success": ("gauge", ""),
    "config_reload_timestamp_seconds": ("gauge", ""),
    "state_write_errors_total": ("counter", ""),
    "replicas": ("gauge", ""),
    "series": ("gauge", "family"),
}
INSTANCE_FAMILIES = {
    "price_per_hour": "aws_region instance_type usage currency",
    "gpus": "instance_type",
    "vcpus": "instance_type",
    "memory_bytes": "instance_type",
}
EXPECTED = {
    **{
        f"sagemaker_training_job_{name}": ("info" if name.endswith("info") else "gauge", f"{ID} {labels}")
        for name, labels in JOB.items()
    },
    **{f"sagemaker_training_{name}": (kind, f"{TARGET} {labels}") for name, (kind, labels) in FLEET.items()},
    **{f"sagemaker_instance_{name}": ("gauge", labels) for name, labels in INSTANCE_FAMILIES.items()},
    **{f"sagemaker_exporter_{name}": row for name, row in OWN.items()},
}


RATE = Rate(Fraction("0.115"), "USD")
RATES = {("ml.m5.large", usage): RATE for usage in USAGES}


def full_job() -> TrainingJob:
    """Return a job that adds to every total except that of stopped jobs."""
    return TrainingJob(
        account="1",
        region="r",
        name="job",
        status="Failed",
        secondary_status="Failed",
        created=1.0,
        started=2.0,
        ended=9.0,
        training_seconds=4.0,
        billable_seconds=2.0,
        spot=True,
        instances=(Instances("ml.m5.large", "", 2),),
        transitions=(Transition("Interrupted", 1.0, 2.0),),
        warm_pool=WarmPool("Reused", 3.0, "heir"),
        failure_category="Other",
        network_isolation=True,
    )


def running_job() -> TrainingJob:
    return replace(full_job(), status="InProgress", secondary_status="Training", started=2.0, ended=None)


def facts_of(*jobs: TrainingJob) -> list[Facts]:
    """Return the recorded facts of jobs, with and without prices."""
    facts = [Facts.of(job, final=True) for job in jobs]
    return [one.priced(find) for one in facts for find in (lambda *_: RATE, lambda *_: None)]


def test_names_kinds_and_labels_are_the_designs() -> None:
    found = {family.name: (family.kind, " ".join(family.label_names)) for family in CATALOGUE}
    assert found == {name: (kind, labels.strip()) for name, (kind, labels) in EXPECTED.items()}


def test_names_are_unique() -> None:
    assert len({family.name for family in CATALOGUE}) == len(CATALOGUE)


@pytest.mark.parametrize("family", CATALOGUE, ids=lambda family: family.name)
def test_a_family_is_well_formed(family: Any) -> None:
    assert (family.kind == "counter") == family.name.endswith("_total")
    assert len(set(family.label_names)) == len(family.label_names)
    assert family.help.endswith(".")
    assert "\n" not in family.help
    assert all(len(values) == len(family.labels) for values in family.known)
    assert (family.kind == "histogram") == bool(family.buckets)
    assert list(family.buckets) == sorted(set(family.buckets))


def things() -> list[tuple[Any, Any]]:
    cases = sorted((Path(__file__).parents[1] / "golden").glob("*.json"))
    allow = Allowlist(frozenset("*"), frozenset("*"))
    parsed = [parse(json.loads(path.read_text()), "1", "r", allow) for path in cases]
    jobs = [job for job in parsed if job is not None]
    assert len(jobs) == len(parsed)
    stopped = replace(full_job(), status="Stopped", secondary_status="Stopped", failure_category=None)
    held = ("ml.m5.large", "training")
    counts = ActiveCounts({("InProgress", "Training"): 2}, {held: 1}, 1, rates={held: RATE})
    target = TargetHealth(0.0, True, 1, 2.0, 0.5, {"Search": 1}, {("Search", "Timeout"): 1}, {"Odd": 1})
    prices = ListPrices("USD", {"training": Decimal("0.23")})
    busy = Utilization(60.0, dict.fromkeys(UTILIZATION_METRICS, (("algo-1", 0.5),)))
    process = ProcessHealth(0.0, "1", "3.11", True, 1.0, 0, 1, {"f": 1})
    return [
        *((family, JobView(job)) for family in JOBS.families for job in jobs),
        *((family, JobView(job, rates=RATES)) for family in JOBS.families for job in (full_job(), running_job())),
        *((family, True) for family in HELD.families),
        *((family, counts) for family in ACTIVE.families),
        *((family, facts) for family in TOTALS.families for facts in facts_of(full_job(), stopped)),
        *((family, prices) for family in PRICES.families),
        *((family, Hardware(8, 96, 2**40)) for family in HARDWARE.families),
        *((family, Quotas({held: 8.0}, 20.0)) for family in QUOTAS.families),
        *((family, busy) for family in UTILIZATION.families),
        *((family, {"loss": Emitted(0.5, 60.0)}) for family in ALGORITHM_METRICS.families),
        *((family, Requested(0.0, 5)) for family in REQUESTED.families),
        *((family, target) for family in TARGETS.families),
        *((family, ("prices", False)) for family in SOURCES.families),
        *((family, process) for family in PROCESS.families),
    ]


def test_every_family_has_rows_with_the_labels_it_declares() -> None:
    seen = set()
    for family, thing in things():
        for values, value in family.rows(thing):
            assert len(values) == len(family.labels), family.name
            assert isinstance(value, float | int), family.name
            seen.add(family.name)
    assert seen == {family.name for family in CATALOGUE}


def test_nothing_is_known_of_a_target_before_its_first_poll() -> None:
    rows = {
        family.name.removeprefix("sagemaker_exporter_"): list(family.rows(TargetHealth(0.0)))
        for family in TARGETS.families
    }
    assert (
        rows["target_up"] == rows["target_last_success_timestamp_seconds"] == rows["target_poll_duration_seconds"] == []
    )
    assert rows["api_errors_total"]
    assert {value for _, value in rows["api_errors_total"]} == {0.0}


def test_active_statuses_are_there_with_0() -> None:
    rows = dict(ACTIVE.families[0].rows(ActiveCounts({("InProgress", "Training"): 2}, {})))
    assert rows["InProgress", "Training"] == 2
    assert rows["InProgress", "Downloading"] == 0
    assert rows["Stopping", "Stopping"] == 0
    assert not [labels for labels in rows if "Completed" in labels or "Failed" in labels]


def test_unbilled_jobs_are_0_once_they_can_be_known() -> None:
    (family,) = (one for one in ACTIVE.families if one.name == "sagemaker_training_unbilled_jobs")
    assert list(family.rows(ActiveCounts({}, {}))) == []
    assert list(family.rows(ActiveCounts({}, {}, 0))) == [((), 0.0)]
