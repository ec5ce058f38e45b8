"""Define the dashboard of the fleet: what failed, what is waiting or near a limit, and what is running."""

from __future__ import annotations

from deploy.grafana import board, colors, limits, panels, tables
from deploy.grafana.board import Board, Section
from deploy.grafana.panels import Query, now
from deploy.grafana.promql import (
    ENDS,
    ID,
    TARGET,
    TYPE,
    TYPES,
    active,
    cluster,
    down,
    each,
    failed,
    fleet,
    increased,
    job,
    recorded,
)

_WAITING = 'secondary_status=~"Pending|Starting|LaunchingMLInstances|PreparingTrainingStack"'
_ENDED = "status:sagemaker_training_jobs_finished_total:max"
_HELD = recorded("type_usage:sagemaker_training_instances:max", TYPE)
_CATEGORY = tables.label(
    "category", "Category", mappings=colors.by_value(colors.FAILURE), **{"custom.width": 165, **tables.TEXT}
)
# No job is active where the exporter knows all jobs and none has such a series.
_NONE = f"sum(0 * {recorded('account_region:sagemaker_training_jobs:sum')})"


def build() -> Board:
    """Return the dashboard to start with."""
    return Board(
        uid=board.FLEET,
        title="SageMaker / Fleet",
        description="Training jobs of all accounts and regions: what failed, what waits, what runs.",
        variables=[board.account(), board.region(), board.instance_type()],
        sections=[
            Section("What hurts", [*_numbers(), _failures(), _failed_jobs()]),
            Section("Jobs", [_active_jobs()]),
            Section("Over time", [_by_phase(), _finished(), _instances()]),
            Section("Waiting and limits", [_phase_durations(), _queue(), _quotas(), _limits()]),
        ],
        since="now-6h",
        refresh="1m",
    )


def _numbers() -> list[panels.Panel]:
    ended, failures = increased(recorded(_ENDED)), increased(recorded(_ENDED, 'status="Failed"'))
    return [
        panels.single("Failed", "Jobs of all types that failed in the time range.", now(f"round({failures})"))
        .thresholds(colors.steps(colors.GREEN, (1, colors.RED)))
        .unit("short")
        .span(4),
        panels.single(
            "Failure ratio",
            "Share of the jobs of all types that ended in the time range that failed.",
            now(f"{failures} / ({ended} > 0)"),
        )
        .thresholds(colors.steps(colors.GREEN, (0.05, colors.ORANGE), (0.2, colors.RED)))
        .unit("percentunit")
        .decimals(1)
        .span(4),
        panels.single(
            "Longest wait",
            "Longest current wait of a job for its instances: Pending, Starting or similar.",
            now(f"time() - min({active(TYPES, _WAITING)})"),
        )
        .thresholds(colors.steps(colors.GREEN, (1800, colors.ORANGE), (7200, colors.RED)))
        .unit("s")
        .decimals(0)
        .span(4),
        panels.single(
            "Active jobs, now",
            "Jobs that have not ended, and those of them that wait for their instances.",
            now(f"count({active(TYPES)}) or {_NONE}", "Active"),
            now(f"count({active(TYPES, _WAITING)}) or {_NONE}", "Waiting"),
        )
        .unit("short")
        .span(8),
        panels.single(
            "Targets down",
            "Accounts and regions whose last poll failed, so their data is old. See the exporter's dashboard.",
            now(down()),
        )
        .data_links([panels.opens("The exporter", board.with_variables(board.EXPORTER, "account", "region"))])
        .thresholds(colors.steps(colors.GREEN, (1, colors.RED)))
        .unit("short")
        .span(4),
    ]


def _failures() -> panels.Panel:
    in_range = f"last_over_time({failed(TYPES)}[$__range]) > time() - $__range_s"
    return tables.rows(
        "Failures by reason and type",
        "Jobs that failed in the time range, of those that had series of their own in it.",
        [
            _CATEGORY,
            tables.label("detail", "Detail"),
            tables.label("instance_type", "Type"),
            tables.value("A", "Failed", "short", **{"custom.width": 70}),
        ],
        f"count by (category, detail, instance_type) ({in_range})",
        sort="Failed",
    ).span(9)


def _failed_jobs() -> panels.Panel:
    latest = f"topk(50, {failed(TYPES)})"
    return tables.rows(
        "Jobs that failed",
        "Failed jobs that still have series (jobs.retention), the latest first. The reason is shown if "
        "jobs.failure_reason_length allows it.",
        [
            *tables.job_columns(board.JOB),
            *tables.KIND_COLUMNS,
            _CATEGORY,
            tables.label("reason", "Reason"),
            tables.value("A", "Ended", "dateTimeFromNow", **{"custom.width": 150}),
        ],
        f"{latest} * 1000",
        f"{each(job('failure_info', TARGET), f'{ID}, reason')} and on ({ID}) {latest}",
        sort="Ended",
    ).span(15)


def _active_jobs() -> panels.Panel:
    longest = f"bottomk(200, {active(TYPES)})"
    created, started = (each(job(f"{what}_timestamp_seconds", TARGET)) for what in ("creation", "training_start"))
    reason = each(job("waiting_info", TARGET), f"{ID}, reason")
    return (
        tables.rows(
            "Active jobs",
            "The 200 active jobs that have been in their phase for longest. What a job is waiting for comes from "
            "AWS's status messages, which may change.",
            [
                *tables.job_columns(board.JOB),
                *tables.KIND_COLUMNS,
                tables.label("secondary_status", "Phase", mappings=colors.by_value(colors.PHASE), **tables.TEXT),
                tables.label("reason", "Waits for"),
                tables.value("A", "In phase for", "s", decimals=0),
                tables.value("B", "Age", "s", decimals=0),
                tables.value("C", "Instances", "short", **{"custom.width": 85}),
                tables.value("D", "Trains for", "s", decimals=0),
            ],
            f"time() - {longest}",
            f"time() - {created} and on ({ID}) {longest}",
            f"{cluster(job('instances', TARGET))} and on ({ID}) {longest}",
            f"time() - {started} and on ({ID}) {longest}",
            f"{reason} and on ({ID}) {longest}",
            sort="In phase for",
        )
        .height(10)
        .span(24)
    )


def _by_phase() -> panels.Panel:
    return (
        panels.areas(
            "Active jobs by phase",
            "Jobs that have not ended, by their secondary status.",
            Query(f"count by (secondary_status) ({active(TYPES)})", "{{secondary_status}}"),
        )
        .overrides(colors.by_name(colors.PHASE))
        .unit("short")
        .decimals(0)
        .span(8)
    )


def _finished() -> panels.Panel:
    ended = increased(recorded(_ENDED), "status", "$__rate_interval")
    return (
        panels.columns(
            "Ended jobs by outcome",
            "Jobs of all types that ended in each interval, estimated by Prometheus from the counter.",
            Query(f"round({ended}) > 0", "{{status}}"),
        )
        .overrides(colors.by_name(colors.STATUS))
        .interval("2m")
        .unit("short")
        .decimals(0)
        .span(8)
    )


def _instances() -> panels.Panel:
    return (
        panels.areas(
            "Instances held, by type",
            "Instances that are training, on-demand or spot, or idle in a warm pool.",
            Query(f"sum by (instance_type) ({_HELD})", "{{instance_type}}"),
        )
        .unit("short")
        .decimals(0)
        .span(8)
    )


def _phase_durations() -> panels.Panel:
    buckets = "secondary_status:sagemaker_training_phase_duration_seconds_bucket:max"
    observed = increased(recorded(buckets, f'secondary_status!~"{ENDS}"'), "secondary_status, le")
    return (
        panels.bars(
            "Median time in each phase",
            "Of the phases of jobs of all types that ended in the time range, estimated from the histogram's buckets. "
            "A job can enter a phase more than once.",
            now(f"sort_desc(histogram_quantile(0.5, {observed}) > 0)", "{{secondary_status}}"),
        )
        .overrides(colors.by_name(colors.PHASE))
        .unit("s")
        .decimals(0)
        .span(8)
    )


def _queue() -> panels.Panel:
    buckets = "type_spot:sagemaker_training_queue_duration_seconds_bucket:max"
    observed = increased(recorded(buckets, TYPES), "instance_type, le")
    return (
        panels.bars(
            "Queue time by type",
            "95th percentile of the time from creation to the first start, of the jobs that started in the time "
            "range, estimated from the histogram's buckets.",
            now(f"sort_desc(histogram_quantile(0.95, {observed}) > 0)", "{{instance_type}}"),
        )
        .unit("s")
        .decimals(0)
        .span(8)
    )


def _quotas() -> panels.Panel:
    quota = each(fleet("quota_instances", TYPE), "aws_account_id, aws_region, instance_type, usage")
    return (
        panels.bars(
            "Quota use by type",
            "Instances held now, as a share of the quota that AWS applies to the account and region; the 15 nearest.",
            now(
                f"sort_desc(topk(15, {_HELD} / {quota}))",
                "{{instance_type}} {{usage}} {{aws_region}} {{aws_account_id}}",
            ),
        )
        .thresholds(colors.steps(colors.GREEN, (0.75, colors.ORANGE), (0.9, colors.RED)))
        .max(1)
        .unit("percentunit")
        .decimals(0)
        .span(8)
    )


def _limits() -> panels.Panel:
    return tables.rows(
        "Nearest to a limit",
        "When SageMaker will stop a job: after MaxRuntimeInSeconds on instances, MaxWaitTimeInSeconds after a spot job "
        "was created, after MaxPendingTimeInSeconds of waiting for capacity.",
        [
            *tables.job_columns(board.JOB),
            *tables.KIND_COLUMNS,
            tables.label("limit", "Limit"),
            tables.value("A", "Left", "s", decimals=0, **tables.colored("red", (3600, "orange"), (14400, "text"))),
        ],
        f"bottomk(20, {limits.left(TARGET, TYPES)})",
        sort="Left",
        desc=False,
    ).span(24)
