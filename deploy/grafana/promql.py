"""The PromQL that the dashboards share. `$account`, `$region`, `$instance_type` and `$job` are their variables."""

from __future__ import annotations

TARGET = 'aws_account_id=~"$account", aws_region=~"$region"'
TYPE = 'instance_type=~"$instance_type"'
JOB = f'{TARGET}, job_name="$job"'
ENDS = "Completed|Failed|Stopped|MaxRuntimeExceeded|MaxWaitTimeExceeded"
ID = "aws_account_id, aws_region, job_name"
_SCRAPE = "instance, job, pod, container, endpoint, namespace, service"
_JOB_FAMILY, _FLEET_FAMILY, _OWN_FAMILY = "sagemaker_training_job_", "sagemaker_training_", "sagemaker_exporter_"


def job(name: str, *matchers: str) -> str:
    """A selector of a job's family by the short name that the design gives it, say `status`."""
    return _select(_JOB_FAMILY + name, *matchers)


def fleet(name: str, *matchers: str) -> str:
    """A selector of a family of the fleet or of a total, for the chosen accounts and regions."""
    return _select(_FLEET_FAMILY + name, TARGET, *matchers)


def own(name: str, *matchers: str) -> str:
    """A selector of one of the exporter's families about itself."""
    return _select(_OWN_FAMILY + name, *matchers)


def total(selector: str, by: str = "") -> str:
    """The sum by these labels. What a scrape adds to a series (the pod, its address) changes when the exporter starts
    anew, and must not make two of what two of them tell."""
    once = f"max without ({_SCRAPE}) ({selector})"
    return f"sum by ({by}) ({once})" if by else f"sum({once})"


def each(selector: str, by: str = ID) -> str:
    """One sample for these labels, also while two exporters or two lives of one tell of the same thing."""
    return f"max by ({by}) ({selector})"


def cluster(selector: str) -> str:
    """A job's sum over its instance groups."""
    return f"sum by ({ID}) ({each(selector, f'{ID}, instance_type, instance_group')})"


def grown(selector: str, by: str = "") -> str:
    """How much a total grew in the dashboard's time range, as docs/totals.md has it: exact, where increase() estimates
    and misses the first value of a new series. For an instant query, which Grafana makes at the end of the range."""
    return _difference(f"last_over_time({selector}[$__range])", f"last_over_time({selector}[7d] offset $__range)", by)


def grown_so_far(selector: str, by: str = "") -> str:
    """The same at each moment of the range, counted from its start. For a range query."""
    return _difference(selector, f"last_over_time({selector}[7d] @ start())", by)


def down() -> str:
    """How many targets cannot be polled; none is 0, where there are any."""
    up = each(own("target_up", TARGET), "aws_account_id, aws_region")
    return f"count({up} == 0) or count({up}) * 0"


def hours(seconds: str) -> str:
    """Seconds as hours."""
    return f"({seconds}) / 3600"


def _difference(now: str, then: str, by: str) -> str:
    return f"({total(now, by)} - {total(then, by)} or {total(now, by)})"


def _select(family: str, *matchers: str) -> str:
    return f"{family}{{{', '.join(matchers)}}}" if matchers else family
