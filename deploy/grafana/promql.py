"""Build the PromQL that the dashboards share. `$account`, `$region`, `$instance_type` and `$job` are variables."""

from __future__ import annotations

TARGET = 'aws_account_id=~"$account", aws_region=~"$region"'
TYPE = 'instance_type=~"$instance_type"'
# The types of a heterogeneous cluster are joined by commas in one label; a serverless job has none.
TYPES = 'instance_type=~"(.*,)?$instance_type(,.*)?"'
# Jobs without the tag have no such label, which the pattern for all teams matches, too.
TEAM = 'tag_team=~"$team"'
THIS = 'job_name="$job"'
JOB = f"{TARGET}, {THIS}"
ENDS = "Completed|Failed|Stopped|MaxRuntimeExceeded|MaxWaitTimeExceeded"
ID = "aws_account_id, aws_region, job_name"
_SCRAPE = "instance, job, pod, container, endpoint, namespace, service"
_JOB_FAMILY, _FLEET_FAMILY, _OWN_FAMILY = "sagemaker_training_job_", "sagemaker_training_", "sagemaker_exporter_"


def job(name: str, *matchers: str) -> str:
    """Return a selector of a job's family by its short name, such as `status`."""
    return _select(_JOB_FAMILY + name, *matchers)


def fleet(name: str, *matchers: str) -> str:
    """Return a selector of a family of the fleet or of a total, for the selected accounts and regions."""
    return _select(_FLEET_FAMILY + name, TARGET, *matchers)


def own(name: str, *matchers: str) -> str:
    """Return a selector of a family of the exporter itself."""
    return _select(_OWN_FAMILY + name, *matchers)


def recorded(name: str, *matchers: str) -> str:
    """A selector of a series that a recording rule makes, for the chosen accounts and regions. It has no labels of the
    scrape."""
    return _select(name, TARGET, *matchers)


def total(selector: str, by: str = "") -> str:
    """Return the sum by these labels, without the labels of the scrape.

    Those (pod, instance) change when the exporter restarts; without `max` the same total would be added up twice.
    """
    once = f"max without ({_SCRAPE}) ({selector})"
    return f"sum by ({by}) ({once})" if by else f"sum({once})"


def each(selector: str, by: str = ID) -> str:
    """Return one sample for each set of these labels, even if two exporters, or two lives of one, have it."""
    return f"max by ({by}) ({selector})"


def cluster(selector: str) -> str:
    """Return the sum of a job over its instance groups."""
    return f"sum by ({ID}) ({each(selector, f'{ID}, instance_type, instance_group')})"


def increased(selector: str, by: str = "", over: str = "$__range") -> str:
    """How much a recorded total grew in the dashboard's time range, or in another: as docs/queries.md has it."""
    grown = f"increase({selector}[{over}])"
    return f"sum by ({by}) ({grown})" if by else f"sum({grown})"


def what_it_is(*matchers: str) -> str:
    """Return the recorded description of each job: its type, spot, tuning job and owner. Its value is 1."""
    return recorded("job:sagemaker_training_job_info:max", *matchers)


def active(*matchers: str) -> str:
    """Return when the phase of each active job began, with its phase and what the job is."""
    return recorded("job:sagemaker_training_job_phase_start_timestamp_seconds:max", *matchers)


def failed(*matchers: str) -> str:
    """Return when each failed job ended, with the kind of its failure and what the job is."""
    return recorded("job:sagemaker_training_job_failure_timestamp_seconds:max", *matchers)


def down() -> str:
    """Return the number of targets that are down, 0 if all are up."""
    up = each(own("target_up", TARGET), "aws_account_id, aws_region")
    return f"count({up} == 0) or count({up}) * 0"


def hours(seconds: str) -> str:
    """Return seconds as hours."""
    return f"({seconds}) / 3600"


def _select(family: str, *matchers: str) -> str:
    return f"{family}{{{', '.join(matchers)}}}" if matchers else family
