"""Define the cost dashboard: instance hours by type, account and region, on spot, and in idle warm pools."""

from __future__ import annotations

from deploy.grafana import board, colors, panels, tables
from deploy.grafana.board import Board, Section
from deploy.grafana.panels import Query, now
from deploy.grafana.promql import ID, TARGET, TYPE, cluster, each, fleet, grown, grown_so_far, hours, job, total

_SPOT, _ON_DEMAND = 'spot="true"', 'spot="false"'
_HOURS = "suffix: h"
_BILLED = fleet("billable_instance_seconds_total", TYPE)
_TRAINED = fleet("instance_seconds_total", TYPE)
_POOLED = fleet("warm_pool_retained_billable_instance_seconds_total", TYPE)
_SPOT_BILLED = fleet("billable_instance_seconds_total", TYPE, _SPOT)
_SPOT_TRAINED = fleet("instance_seconds_total", TYPE, _SPOT)
# The price series that users provide (docs/totals.md). This dashboard does not use the exporter's prices yet.
_PRICE = "sagemaker_instance_price_dollars_per_hour"


def build() -> Board:
    """Return the dashboard for cost owners. It opens with the month so far."""
    return Board(
        uid=board.COST,
        title="SageMaker / Cost, spot and warm pools",
        description="Billed instance hours, what spot saved and what idle warm pools took, in the time range. "
        "Totals are exact where state.path is set.",
        variables=[board.account(), board.region(), board.instance_type()],
        sections=[
            Section("In the time range", _numbers()),
            Section("Where the hours go", [_so_far(), _by_type(), _by_place(), _dearest()]),
            Section("Spot", [_spot_so_far(), _interruptions()]),
            Section("Warm pools", [_pools(), _waiting_pools()]),
            Section("In dollars (needs a price series, see docs/totals.md)", [_dollars()], collapsed=True),
        ],
        since="now/M",
        refresh="5m",
    )


def _numbers() -> list[panels.Panel]:
    saved = f"{grown(_SPOT_TRAINED)} - {grown(_SPOT_BILLED)}"
    return [
        _amount("Billed", "Billed instance hours of training: billable time times instances.", hours(grown(_BILLED))),
        _amount("Trained", "Training time times instances, before any discount.", hours(grown(_TRAINED))),
        _amount("Saved by spot", "Instance hours of spot jobs that were trained and not billed.", hours(saved)),
        panels.single(
            "Spot savings",
            "1 - billed / trained instance hours of spot jobs.",
            now(f"1 - {grown(_SPOT_BILLED)} / ({grown(_SPOT_TRAINED)} > 0)"),
        )
        .thresholds(colors.steps(colors.ORANGE, (0.3, colors.GREEN)))
        .unit("percentunit")
        .decimals(0)
        .span(4),
        _amount("Idle warm pools", "Billed instance hours of idle warm pools.", hours(grown(_POOLED))),
        panels.single(
            "Pools reused",
            "Warm pools that another job reused, of all instance types.",
            now(grown(fleet("warm_pool_reuses_total"))),
        )
        .unit("short")
        .span(4),
    ]


def _amount(title: str, description: str, expr: str) -> panels.Panel:
    return panels.single(title, description, now(expr)).unit(_HOURS).decimals(1).span(4)


def _so_far() -> panels.Panel:
    return (
        panels.areas(
            "Billed instance hours so far, by type",
            "Counted from the start of the time range. The bill is known when a job ends, so the line rises in steps.",
            Query(hours(grown_so_far(_BILLED, "instance_type")), "{{instance_type}}"),
        )
        .unit(_HOURS)
        .span(12)
    )


def _by_type() -> panels.Panel:
    return tables.rows(
        "By instance type",
        "Instance hours in the time range. Saved: trained minus billed, of spot jobs. Idle pool: in warm pools.",
        [
            tables.label("instance_type", "Type"),
            tables.value("A", "On demand", _HOURS, decimals=2),
            tables.value("B", "Spot", _HOURS, decimals=2),
            tables.value("C", "Saved", _HOURS, decimals=2),
            tables.value("D", "Idle pool", _HOURS, decimals=2),
        ],
        hours(grown(fleet("billable_instance_seconds_total", TYPE, _ON_DEMAND), "instance_type")),
        hours(grown(_SPOT_BILLED, "instance_type")),
        hours(f"{grown(_SPOT_TRAINED, 'instance_type')} - {grown(_SPOT_BILLED, 'instance_type')}"),
        hours(grown(_POOLED, "instance_type")),
        sort="On demand",
    ).span(12)


def _by_place() -> panels.Panel:
    billed = hours(grown(_BILLED, "aws_account_id, aws_region"))
    return (
        panels.bars(
            "Billed by account and region",
            "Billed instance hours in the time range.",
            now(f"sort_desc({billed})", "{{aws_account_id}} {{aws_region}}"),
        )
        .unit(_HOURS)
        .decimals(1)
        .span(8)
    )


def _dearest() -> panels.Panel:
    billed = hours(cluster(job("billable_instance_seconds", TARGET, TYPE)))
    return tables.rows(
        "Jobs with the most billed hours",
        "Among the jobs that still have series (jobs.retention).",
        [*tables.job_columns(board.JOB), tables.value("A", "Billed", _HOURS, decimals=2)],
        f"topk(20, {billed})",
        sort="Billed",
    ).span(16)


def _spot_so_far() -> panels.Panel:
    return (
        panels.areas(
            "Spot instance hours so far",
            "Training hours of spot jobs, billed and saved, counted from the start of the time range.",
            Query(hours(grown_so_far(_SPOT_BILLED)), "billed"),
            Query(hours(f"{grown_so_far(_SPOT_TRAINED)} - {grown_so_far(_SPOT_BILLED)}"), "saved"),
        )
        .overrides(colors.by_name({"billed": colors.BLUE, "saved": colors.GREEN}))
        .unit(_HOURS)
        .span(12)
    )


def _interruptions() -> panels.Panel:
    return (
        panels.lines(
            "Spot interruptions so far, by region",
            "Number of spot interruptions, counted from the start of the time range.",
            Query(grown_so_far(fleet("spot_interruptions_total"), "aws_region"), "{{aws_region}}"),
        )
        .unit("short")
        .decimals(0)
        .span(12)
    )


def _pools() -> panels.Panel:
    return (
        panels.areas(
            "Instances in warm pools",
            "Instances kept after a job for the next one. They are billed like training instances.",
            Query(total(fleet("instances", TYPE, 'usage="warm_pool"'), "instance_type"), "{{instance_type}}"),
        )
        .unit("short")
        .decimals(0)
        .span(10)
    )


def _waiting_pools() -> panels.Panel:
    available = job("warm_pool_status", TARGET, 'status="Available"')
    waits = f"on ({ID}) {available} == 1"
    end = f"{job('training_end_timestamp_seconds', TARGET)} + {job('warm_pool_keep_alive_seconds', TARGET)}"
    kept = job("warm_pool_retained_billable_instance_seconds", TARGET, TYPE)
    return tables.rows(
        "Warm pools that are idle now",
        "Available pools, their billed hours so far, and when they end if no job reuses them.",
        [
            *tables.job_columns(board.JOB),
            tables.value("A", "Instances", "short"),
            tables.value("B", "Idle", _HOURS, decimals=2),
            tables.value("C", "Ends in", "s", decimals=0),
        ],
        f"{cluster(job('instances', TARGET, TYPE))} and {waits}",
        hours(f"{cluster(kept)} and {waits}"),
        each(f"{end} - time() and {waits} and on ({ID}) {job('instances', TARGET, TYPE)}"),
        sort="Idle",
    ).span(14)


def _dollars() -> panels.Panel:
    billed = hours(grown_so_far(_BILLED, "instance_type"))
    price = f"max by (instance_type) ({_PRICE})"
    return (
        panels.areas(
            "Spend so far, by type",
            "Billed instance hours times the price series that you provide, without storage and warm pools.",
            Query(f"({billed}) * on (instance_type) {price}", "{{instance_type}}"),
        )
        .unit("currencyUSD")
        .span(24)
    )
