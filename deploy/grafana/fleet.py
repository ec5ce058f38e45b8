"""Define the dashboard of the fleet: what failed, what is waiting or near a limit, and what is running."""

from __future__ import annotations

from deploy.grafana import board, colors, limits, panels, tables
from deploy.grafana.board import Board, Section
from deploy.grafana.panels import Query, now
from deploy.grafana.promql import ENDS, ID, TARGET, TYPE, cluster, down, each, fleet, grown, job, total

_PHASE = each(job("secondary_status", TARGET), f"{ID}, secondary_status")
_PHASE_AGE = f"time() - {job('secondary_status_start_timestamp_seconds', TARGET)}"
_WAITING = 'secondary_status=~"Pending|Starting|LaunchingMLInstances|PreparingTrainingStack"'
_IN_PROGRESS = job("status", TARGET, 'status="InProgress"')
_RUNS = f"on ({ID}) {_IN_PROGRESS} == 1"
_OF_TYPE = f"on ({ID}) {job('instances', TARGET, TYPE)}"


def build() -> Board:
    """Return the dashboard to start with."""
    return Board(
        uid=board.FLEET,
        title="SageMaker / Fleet",
        description="Training jobs of all accounts and regions: what failed, what waits, what runs.",
        variables=[board.account(), board.region(), board.instance_type()],
        sections=[
            Section("What hurts", [*_numbers(), _failed_jobs(), _failures()]),
            Section("Jobs", [_active_jobs()]),
            Section("Over time", [_by_phase(), _finished(), _instances()]),
            Section("Waiting and limits", [_phase_durations(), _queue(), _quotas(), _limits()]),
        ],
        since="now-6h",
        refresh="1m",
    )


def _numbers() -> list[panels.Panel]:
    ended = fleet("jobs_finished_total")
    failed = fleet("jobs_finished_total", 'status="Failed"')
    return [
        panels.single("Failed", "Jobs that failed in the time range.", now(grown(failed)))
        .thresholds(colors.steps(colors.GREEN, (1, colors.RED)))
        .unit("short")
        .span(4),
        panels.single(
            "Failure ratio",
            "Share of the jobs that ended in the time range that failed.",
            now(f"{grown(failed)} / ({grown(ended)} > 0)"),
        )
        .thresholds(colors.steps(colors.GREEN, (0.05, colors.ORANGE), (0.2, colors.RED)))
        .unit("percentunit")
        .decimals(1)
        .span(4),
        panels.single(
            "Longest wait",
            "Longest current wait of a job for its instances: Pending, Starting or similar.",
            now(f"max({_PHASE_AGE} and on ({ID}) {job('secondary_status', TARGET, _WAITING)})"),
        )
        .thresholds(colors.steps(colors.GREEN, (1800, colors.ORANGE), (7200, colors.RED)))
        .unit("s")
        .decimals(0)
        .span(4),
        panels.single(
            "Active jobs, now",
            "Jobs that have not ended, and those of them that wait for their instances.",
            now(total(fleet("jobs")), "Active"),
            now(total(fleet("jobs", _WAITING)), "Waiting"),
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


def _failed_jobs() -> panels.Panel:
    changed = each(f"{job('last_modified_timestamp_seconds', TARGET)} and {_OF_TYPE}")
    why = each(job("failure_info", TARGET), f"{ID}, category, reason")
    return tables.rows(
        "Jobs that failed",
        "Failed jobs that still have series (jobs.retention), the latest first. The reason is shown if "
        "jobs.failure_reason_length allows it.",
        [
            *tables.job_columns(board.JOB),
            tables.label("category", "Category", **{"custom.width": 165}),
            tables.label("reason", "Reason"),
            tables.value("A", "Last change", "dateTimeFromNow", **{"custom.width": 150}),
        ],
        f"topk(50, {why} * on ({ID}) group_left () {changed} * 1000)",
        sort="Last change",
    ).span(17)


def _failures() -> panels.Panel:
    by_category = grown(fleet("jobs_failed_total"), "category")
    return (
        panels.bars(
            "Failures by category",
            "Jobs that failed in the time range, by failure category.",
            now(f"sort_desc({by_category})", "{{category}}"),
        )
        .overrides(colors.by_name(colors.FAILURE))
        .unit("short")
        .decimals(0)
        .span(7)
    )


def _active_jobs() -> panels.Panel:
    longest = f"topk(200, {each(f'{_PHASE_AGE} and {_RUNS} and {_OF_TYPE}')})"
    created, started = (each(job(f"{what}_timestamp_seconds", TARGET)) for what in ("creation", "training_start"))
    reason = each(job("waiting_info", TARGET), f"{ID}, reason")
    return (
        tables.rows(
            "Active jobs",
            "The 200 jobs in progress that have been in their phase for longest. What a job is waiting for comes from "
            "AWS's status messages, which may change.",
            [
                *tables.job_columns(board.JOB),
                tables.label("secondary_status", "Phase", mappings=colors.by_value(colors.PHASE), **tables.TEXT),
                tables.label("reason", "Waits for"),
                tables.value("A", "In phase for", "s", decimals=0),
                tables.value("B", "Age", "s", decimals=0),
                tables.value("C", "Instances", "short"),
                tables.value("D", "Trains for", "s", decimals=0),
            ],
            f"{_PHASE} * on ({ID}) group_left () {longest}",
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
            Query(f"{total(fleet('jobs'), 'secondary_status')} > 0", "{{secondary_status}}"),
        )
        .overrides(colors.by_name(colors.PHASE))
        .unit("short")
        .decimals(0)
        .span(8)
    )


def _finished() -> panels.Panel:
    ended = fleet("jobs_finished_total")
    return (
        panels.columns(
            "Ended jobs by outcome",
            "Jobs that ended in each interval, estimated by Prometheus from the counter.",
            Query(f"round({total(f'increase({ended}[$__rate_interval])', 'status')}) > 0", "{{status}}"),
        )
        .overrides(colors.by_name(colors.STATUS))
        .interval("1m")
        .unit("short")
        .decimals(0)
        .span(8)
    )


def _instances() -> panels.Panel:
    return (
        panels.areas(
            "Instances held, by type",
            "Instances that are training, on-demand or spot, or idle in a warm pool.",
            Query(total(fleet("instances", TYPE), "instance_type"), "{{instance_type}}"),
        )
        .unit("short")
        .decimals(0)
        .span(8)
    )


def _phase_durations() -> panels.Panel:
    buckets = fleet("phase_duration_seconds_bucket", f'secondary_status!~"{ENDS}"')
    observed = grown(buckets, "secondary_status, le")
    return (
        panels.bars(
            "Median time in each phase",
            "Of the phases that ended in the time range, estimated from the histogram's buckets. A job can enter a "
            "phase more than once.",
            now(f"sort_desc(histogram_quantile(0.5, {observed}) > 0)", "{{secondary_status}}"),
        )
        .overrides(colors.by_name(colors.PHASE))
        .unit("s")
        .decimals(0)
        .span(8)
    )


def _queue() -> panels.Panel:
    observed = grown(fleet("queue_duration_seconds_bucket", TYPE), "instance_type, le")
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
    by = "aws_account_id, aws_region, instance_type, usage"
    used, quota = each(fleet("instances", TYPE), by), each(fleet("quota_instances", TYPE), by)
    return (
        panels.bars(
            "Quota use by type",
            "Instances held now, as a share of the quota that AWS applies to the account and region; the 15 nearest.",
            now(
                f"sort_desc(topk(15, {used} / {quota}))",
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
            tables.label("limit", "Limit"),
            tables.value("A", "Left", "s", decimals=0, **tables.colored("red", (3600, "orange"), (14400, "text"))),
        ],
        f"bottomk(20, {limits.left(TARGET)} and {_OF_TYPE})",
        sort="Left",
        desc=False,
    ).span(24)
