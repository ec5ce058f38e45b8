"""The families of the health of targets: `sagemaker_exporter_target_*` and others with the labels of a target."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from exporter.exposition.family import TARGET, Family, Group, Kind, Row, counted, single


@dataclass(frozen=True, slots=True)
class TargetHealth:
    """The health of one target. Times are Unix seconds; None means not yet. Counters count `since` that time."""

    since: float
    up: bool | None = None
    jobs: int = 0
    last_success: float | None = None
    poll_seconds: float | None = None
    requests: Mapping[str, int] = field(default_factory=dict)
    errors: Mapping[tuple[str, str], int] = field(default_factory=dict)
    unknown: Mapping[str, int] = field(default_factory=dict)


# Exported as 0 from the start: Prometheus sees no increase in a series that begins with 1.
_COMMON_ERRORS = {
    (operation, code): 0
    for operation in ("ListTrainingJobs", "DescribeTrainingJob")
    for code in ("ThrottlingException", "AccessDeniedException", "Timeout")
}


def _target(
    name: str, kind: Kind, help_: str, labels: tuple[str, ...], rows: Callable[[TargetHealth], Iterable[Row]]
) -> Family[TargetHealth]:
    return Family(f"sagemaker_exporter_{name}", kind, help_, TARGET, labels, rows, policy="")


_FAMILIES: tuple[Family[TargetHealth], ...] = (
    _target(
        "target_up",
        "gauge",
        "Whether the target's last poll succeeded; no sample before the first response or failure.",
        (),
        lambda health: single(None if health.up is None else float(health.up)),
    ),
    _target("target_jobs", "gauge", "Number of tracked training jobs.", (), lambda health: single(float(health.jobs))),
    _target(
        "target_last_success_timestamp_seconds",
        "gauge",
        "Unix time of the target's last successful poll.",
        (),
        lambda health: single(health.last_success),
    ),
    _target(
        "target_poll_duration_seconds",
        "gauge",
        "Duration of the target's last discovery of jobs in seconds.",
        (),
        lambda health: single(health.poll_seconds),
    ),
    _target(
        "api_requests_total",
        "counter",
        "Number of requests sent to AWS, including retries.",
        ("operation",),
        lambda health: [((operation,), float(n)) for operation, n in health.requests.items()],
    ),
    _target(
        "api_errors_total",
        "counter",
        "Number of failed requests to AWS by error code.",
        ("operation", "code"),
        lambda health: [(labels, float(n)) for labels, n in {**_COMMON_ERRORS, **health.errors}.items()],
    ),
    _target(
        "unknown_status_total",
        "counter",
        "Number of jobs that reported a status unknown to this version.",
        ("status",),
        lambda health: [((status,), float(n)) for status, n in health.unknown.items()],
    ),
)

TARGETS: Group[TargetHealth] = Group(
    "The exporter's targets", _FAMILIES, lambda family, health: counted(family, health, health.since)
)
