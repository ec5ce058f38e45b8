"""Define the dashboard of utilization: which jobs leave GPUs idle, what that costs, and which hosts are nearly full."""

from __future__ import annotations

from deploy.grafana import board, colors, money, panels, tables
from deploy.grafana.board import Board, Section
from deploy.grafana.panels import Query, now
from deploy.grafana.promql import ID, TARGET, TYPES, each, job, own, recorded, what_it_is

_OFF = " Needs cloudwatch.utilization in the exporter's configuration."


_OF_TYPE = f"and on ({ID}) {what_it_is(TYPES)}"
_GPUS = "job:sagemaker_training_job_gpu_utilization_ratio:avg"
_GPU = f"{recorded(_GPUS)} {_OF_TYPE}"
_COST = each(job("cost_per_hour", TARGET), f"{ID}, currency")
_IDLE_COST = "job:sagemaker_training_gpu_idle_cost_per_hour:max"
_IDLE = f"{recorded(_IDLE_COST)} {_OF_TYPE}"


def build() -> Board:
    """Return the dashboard for whoever looks for waste."""
    return Board(
        uid=board.UTILIZATION,
        title="SageMaker / Utilization",
        description="How busy the instances of active jobs are, by CloudWatch, and what idle GPUs cost. "
        "Values are some minutes old.",
        variables=[board.account(), board.region(), board.instance_type()],
        sections=[
            Section("Now", _numbers()),
            Section("Idle GPUs", [_jobs(), _teams(), _gpus()]),
            Section("Memory and disk", [_full("memory", "Memory"), _full("disk", "Disk")]),
        ],
        since="now-6h",
        refresh="1m",
    )


def _numbers() -> list[panels.Panel]:
    requested = f"rate({own('cloudwatch_metrics_requested_total', TARGET)}[$__rate_interval])"
    wasted = panels.single(
        "Wasted per hour",
        "Cost per hour of each active job times the idle share of its GPUs, at the prices of the exporter.",
        now(f"sum by (currency) ({_IDLE})", "{{currency}}"),
    )
    return [
        panels.single("GPU utilization", f"Average over the active jobs.{_OFF}", now(f"avg({_GPU})"))
        .thresholds(colors.steps(colors.RED, (0.2, colors.ORANGE), (0.5, colors.GREEN)))
        .unit("percentunit")
        .decimals(0)
        .span(8),
        money.in_currency(wasted).span(8),
        panels.single(
            "CloudWatch per hour",
            "List price of the metrics that the exporter requests: $0.01 per 1,000.",
            now(f"sum({requested}) * 3600 / 1000 * 0.01"),
        )
        .unit("currencyUSD")
        .decimals(3)
        .span(8),
    ]


def _jobs() -> panels.Panel:
    dearest = f"topk(20, {_IDLE})"
    return tables.rows(
        "Wasted by job",
        "Jobs by what their idle GPUs cost per hour. A job with groups of instances counts as a whole.",
        [
            *tables.job_columns(board.JOB),
            money.CURRENCY,
            money.amount("A", "Wasted/h"),
            tables.value("B", "GPU", "percentunit", decimals=0),
            money.amount("C", "Cost/h"),
        ],
        dearest,
        f"{recorded(_GPUS)} and on ({ID}) {dearest}",
        f"{_COST} and on ({ID}) {dearest}",
        sort="Wasted/h",
    ).span(16)


def _teams() -> panels.Panel:
    described = f"on ({ID}) group_left (owner) {what_it_is(TYPES)}"
    wasted = f"sum by (owner, currency) ({recorded(_IDLE_COST)} * {described})"
    by_team = panels.bars(
        "Wasted per hour by team",
        "The same by the tag `team`, which jobs.tags has to name; jobs without it have no name.",
        now(f"sort_desc({wasted})", "{{owner}} {{currency}}"),
    )
    return money.in_currency(by_team).span(8)


def _gpus() -> panels.Panel:
    return (
        panels.lines(
            "GPU utilization of the jobs that use their GPUs least",
            "Average over the hosts of a job.",
            Query(f"bottomk(10, {_GPU})", "{{job_name}}"),
        )
        .unit("percentunit")
        .max(1)
        .span(24)
    )


def _full(kind: str, title: str) -> panels.Panel:
    of_host = each(job(f"{kind}_utilization_ratio", TARGET), f"{ID}, host")
    return (
        panels.lines(
            f"{title} of the fullest hosts",
            f"Used share of the {kind} of a host.",
            Query(f"topk(10, {of_host} {_OF_TYPE})", "{{job_name}} {{host}}"),
        )
        .unit("percentunit")
        .max(1)
        .span(12)
    )
