"""Provide the query of the time until SageMaker stops a running job, by limit."""

from __future__ import annotations

from deploy.grafana.promql import ID, each, job


def left(where: str) -> str:
    """Return the query of the seconds left until each deadline of the running jobs."""
    return f"{each(job('deadline_timestamp_seconds', where), f'{ID}, limit')} - time()"
