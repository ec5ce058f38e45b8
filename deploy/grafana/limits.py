"""How long until SageMaker stops a job that runs, by the limit that does it."""

from __future__ import annotations

from deploy.grafana.promql import ID, each, job


def left(where: str) -> str:
    """The seconds that are left of each limit of a job that runs now."""
    return f"{each(job('deadline_timestamp_seconds', where), f'{ID}, limit')} - time()"
