"""The families of how polling a target goes, `sagemaker_exporter_target_*` and others with its labels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from exporter.exposition.family import TARGET, Family, Group, Kind, Row, counted, single


@dataclass(frozen=True, slots=True)
class TargetHealth:
    """How polling one target goes. Times are Unix seconds; None: not yet. What is counted is counted `since` then."""

    since: float
    up: bool | None = None
    jobs: int = 0
    last_success: float | None = None
    poll_seconds: float | None = None
    requests: Mapping[str, int] = field(default_factory=dict)
    errors: Mapping[tuple[str, str], int] = field(default_factory=dict)
    unknown: Mapping[str, int] = field(default_factory=dict)


# There from the start with 0, so that the first one shows as an increase.
_COMMON_ERRORS = {
    (operation, code): 0
    for operation in ("ListTrainingJobs", "DescribeTrainingJob")
    for code in ("ThrottlingException", "AccessDeniedException", "Timeout")
}


def _target(
    name: str, kind: Kind, help_: str, labels: tuple[str, ...], rows: Callable[[TargetHealth], Iterable[Row]]
) -> Family[TargetHealth]:
    return Family(f"sagemaker_exporter_{name}", kind, help_, TARGET, labels, rows)


_FAMILIES: tuple[Family[TargetHealth], ...] = (
    _target(
        "target_up",
        "gauge",
        "Whether the target's last poll succeeded; no sample before AWS has answered or a call has failed.",
        (),
        lambda health: single(None if health.up is None else float(health.up)),
    ),
    _target("target_jobs", "gauge", "Training jobs that are tracked.", (), lambda health: single(float(health.jobs))),
    _target(
        "target_last_success_timestamp_seconds",
        "gauge",
        "When a poll of the target last succeeded, Unix time.",
        (),
        lambda health: single(health.last_success),
    ),
    _target(
        "target_poll_duration_seconds",
        "gauge",
        "How long the target's last poll took.",
        (),
        lambda health: single(health.poll_seconds),
    ),
    _target(
        "api_requests_total",
        "counter",
        "Requests sent to AWS, retries included.",
        ("operation",),
        lambda health: [((operation,), float(n)) for operation, n in health.requests.items()],
    ),
    _target(
        "api_errors_total",
        "counter",
        "Requests to AWS that failed, by AWS's error code.",
        ("operation", "code"),
        lambda health: [(labels, float(n)) for labels, n in {**_COMMON_ERRORS, **health.errors}.items()],
    ),
    _target(
        "unknown_status_total",
        "counter",
        "Statuses seen that this version does not know.",
        ("status",),
        lambda health: [((status,), float(n)) for status, n in health.unknown.items()],
    ),
)

TARGETS: Group[TargetHealth] = Group(
    "The exporter's targets", _FAMILIES, lambda family, health: counted(family, health, health.since)
)
