"""The exporter's families about itself, `sagemaker_exporter_*`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from exporter.exposition.family import TARGET, Family, Kind, Row, single


@dataclass(frozen=True, slots=True)
class TargetHealth:
    """How the exporter fares with one target. Times are Unix seconds; None: not yet. What is counted is counted
    `since` then, or since the process began."""

    up: bool | None = None
    jobs: int = 0
    last_success: float | None = None
    poll_seconds: float | None = None
    requests: Mapping[str, int] = field(default_factory=dict)
    errors: Mapping[tuple[str, str], int] = field(default_factory=dict)
    unknown: Mapping[str, int] = field(default_factory=dict)
    since: float | None = None


@dataclass(frozen=True, slots=True)
class ProcessHealth:
    """How the exporter fares as a whole."""

    version: str
    python_version: str
    reload_success: bool
    reloaded: float
    state_write_errors: int
    series: Mapping[str, int]


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


def _process(
    name: str, kind: Kind, help_: str, labels: tuple[str, ...], rows: Callable[[ProcessHealth], Iterable[Row]]
) -> Family[ProcessHealth]:
    return Family(f"sagemaker_exporter_{name}", kind, help_, (), labels, rows)


TARGET_FAMILIES: tuple[Family[TargetHealth], ...] = (
    _target(
        "target_up",
        "gauge",
        "Whether the target's last poll succeeded; no sample before its first one ended.",
        (),
        lambda health: single(None if health.up is None else float(health.up)),
    ),
    _target("target_jobs", "gauge", "Training jobs that are followed.", (), lambda health: single(float(health.jobs))),
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

PROCESS_FAMILIES: tuple[Family[ProcessHealth], ...] = (
    _process(
        "build_info",
        "gauge",
        "The exporter's version. 1.",
        ("version", "pythonversion"),
        lambda health: [((health.version, health.python_version), 1.0)],
    ),
    _process(
        "config_reload_success",
        "gauge",
        "Whether the last load of the configuration succeeded.",
        (),
        lambda health: single(float(health.reload_success)),
    ),
    _process(
        "config_reload_timestamp_seconds",
        "gauge",
        "When the configuration was last loaded with success, Unix time.",
        (),
        lambda health: single(health.reloaded),
    ),
    _process(
        "state_write_errors_total",
        "counter",
        "Writes of the state file that failed; what they held waits in memory.",
        (),
        lambda health: single(float(health.state_write_errors)),
    ),
    _process(
        "series",
        "gauge",
        "Series that a scrape gives, by family.",
        ("family",),
        lambda health: [((family,), float(n)) for family, n in health.series.items()],
    ),
)
