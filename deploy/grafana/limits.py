"""How long until SageMaker stops a job that runs, by the limit that does it."""

from __future__ import annotations

from collections.abc import Mapping

from deploy.grafana.promql import ID, each, job

_OFF_INSTANCES = "Pending|Starting|LaunchingMLInstances|PreparingTrainingStack|Interrupted"


def left(where: str) -> Mapping[str, str]:
    """The seconds that are left of each limit. MaxRuntimeInSeconds counts phases on instances, those before a spot
    interruption too; MaxWaitTimeInSeconds since the creation; MaxPendingTimeInSeconds while the job is Pending."""
    phase = f"{ID}, secondary_status"
    running = f"on ({ID}) {job('status', where, _is('status', 'InProgress'))} == 1"
    since = f"time() - {each(job('secondary_status_start_timestamp_seconds', where))}"
    on_instances = f'secondary_status!~"{_OFF_INSTANCES}"'
    spent = each(job("phase_seconds", where, on_instances), phase)
    lasts = f"({since} and on ({ID}) {job('secondary_status', where, on_instances)} == 1)"
    created = f"time() - {each(job('creation_timestamp_seconds', where))}"
    pending = f"({since} and on ({ID}) {job('secondary_status', where, _is('secondary_status', 'Pending'))} == 1)"
    return {
        "MaxRuntime": f"{each(job('max_runtime_seconds', where))} - sum by ({ID}) ({spent} or {lasts}) and {running}",
        "MaxWait": f"{each(job('max_wait_seconds', where))} - ({created}) and {running}",
        "MaxPending": f"{each(job('max_pending_seconds', where))} - {pending}",
    }


def _is(label: str, value: str) -> str:
    return f'{label}="{value}"'
