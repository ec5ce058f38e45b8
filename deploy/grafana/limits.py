"""Provide the query of the time until SageMaker stops a running job, by limit."""

from __future__ import annotations

from deploy.grafana.promql import ID, each, job, what_it_is


def left(where: str, types: str = "") -> str:
    """Return the query of the seconds left until each deadline of the running jobs, with what they are."""
    deadline = each(job("deadline_timestamp_seconds", where), f"{ID}, limit")
    described = f"on ({ID}) group_left (instance_type, spot, owner) {what_it_is(*([types] if types else []))}"
    return f"{deadline} * {described} - time()"
