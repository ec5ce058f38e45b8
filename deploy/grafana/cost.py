"""What the fleet costs, in dollars: by team, type and place, what spot saved, and what idle warm pools take."""

from __future__ import annotations

from deploy.grafana import board, colors, money, panels, tables
from deploy.grafana.board import Board, Section
from deploy.grafana.panels import Query, now
from deploy.grafana.promql import ID, TARGET, TEAM, TYPE, TYPES, cluster, each, increased, job, recorded, what_it_is

_SPENT = recorded("type_usage:sagemaker_training_cost_total:max", TYPE, TEAM)
_SAVED = recorded("type:sagemaker_training_spot_saved_cost_total:max", TYPE, TEAM)
_PER_HOUR = "type_usage:sagemaker_training_cost_per_hour:max"
_UNPRICED = recorded("type:sagemaker_training_unpriced_instance_seconds:max", TYPE)
_OF_SPOT = (TYPE, 'spot="true"', TEAM)
_SPOT_BILLED = recorded("type_spot:sagemaker_training_billable_instance_seconds_total:max", *_OF_SPOT)
_SPOT_TRAINED = recorded("type_spot:sagemaker_training_instance_seconds_total:max", *_OF_SPOT)


def build() -> Board:
    """The dashboard for whoever pays; it opens on the month so far, as AWS bills it: in UTC."""
    return Board(
        uid=board.COST,
        title="SageMaker / Cost, spot and warm pools",
        description="Dollars by team, instance type and region, what spot saved and what idle warm pools take. A job "
        "counts when its bill is known. Needs the recording rules, and state.path for totals that outlive a restart.",
        variables=[board.account(), board.region(), board.instance_type(), board.team()],
        sections=[
            Section("This month, or in the time range", _numbers()),
            Section("Where the money goes", [_by_team(), _by_type(), _per_day(), _by_place(), _dearest()]),
            Section("Spot and warm pools", [_interruptions(), _pools(), _waiting_pools()]),
            Section("Prices", [_prices(), _unpriced()]),
        ],
        since="now/M",
        refresh="5m",
        timezone="utc",
    )


def _spent(usage: str) -> str:
    return recorded("type_usage:sagemaker_training_cost_total:max", TYPE, TEAM, f'usage="{usage}"')


def _numbers() -> list[panels.Panel]:
    return [
        _amount("Spend", "What was billed in the time range, warm pools included.", increased(_SPENT, "currency")),
        _amount(
            "Fleet cost per hour",
            "What is held now, by jobs that train and by warm pools that wait, of all teams.",
            f"sum by (currency) ({recorded(_PER_HOUR, TYPE)})",
        ),
        _amount(
            "Idle warm pools per hour",
            "What instances cost now that are kept for a next job, of all teams.",
            f"""sum by (currency) ({recorded(_PER_HOUR, TYPE, 'usage="warm_pool"')})""",
        ),
        _amount(
            "Saved by spot",
            "Training time of spot jobs that was not billed, at the spot price, of jobs that are settled.",
            increased(_SAVED, "currency"),
        ),
        panels.single(
            "Spot savings",
            "1 - billed / trained instance hours of spot jobs.",
            now(f"1 - {increased(_SPOT_BILLED)} / ({increased(_SPOT_TRAINED)} > 0)"),
        )
        .thresholds(colors.steps(colors.ORANGE, (0.3, colors.GREEN)))
        .unit("percentunit")
        .decimals(0)
        .span(4),
    ]


def _amount(title: str, description: str, expr: str) -> panels.Panel:
    shown = panels.single(title, description, now(expr, "{{currency}}"))
    return money.in_currency(shown).span(5)


def _by_team() -> panels.Panel:
    spent = panels.bars(
        "Spend by team",
        "What was billed in the time range, by the tag team; jobs without it have no name.",
        now(f"sort_desc({increased(_SPENT, 'tag_team, currency')})", "{{tag_team}} {{currency}}"),
    )
    return money.in_currency(spent).span(8)


def _by_type() -> panels.Panel:
    by = "instance_type, currency"
    return tables.rows(
        "By instance type",
        "What was billed in the time range. Saved: of spot jobs that are settled. Idle pool: kept and waiting.",
        [
            tables.label("instance_type", "Type"),
            money.CURRENCY,
            money.amount("A", "On demand"),
            money.amount("B", "Spot"),
            money.amount("C", "Idle pool"),
            money.amount("D", "Saved"),
        ],
        *(increased(_spent(usage), by) for usage in ("training", "spot_training", "warm_pool")),
        increased(_SAVED, by),
        sort="On demand",
    ).span(16)


def _per_day() -> panels.Panel:
    spent = panels.columns(
        "Spend per day, by team",
        "What was billed in the 24 hours before each midnight, UTC.",
        Query(f"{increased(_SPENT, 'tag_team, currency', '1d')} > 0", "{{tag_team}} {{currency}}"),
    )
    return money.in_currency(spent).interval("1d").span(12)


def _by_place() -> panels.Panel:
    spent = increased(_SPENT, "aws_account_id, aws_region, currency")
    shown = panels.bars(
        "Spend by account and region",
        "What was billed in the time range.",
        now(f"sort_desc({spent})", "{{aws_account_id}} {{aws_region}} {{currency}}"),
    )
    return money.in_currency(shown).span(12)


def _dearest() -> panels.Panel:
    bill = f"last_over_time({job('cost', TARGET, TYPE)}[$__range])"
    billed = each(bill, f"{ID}, instance_type, instance_group, usage, currency")
    return tables.rows(
        "Most expensive jobs",
        "By their bills, of the jobs that had series in the time range, of all teams.",
        [
            *tables.job_columns(board.JOB),
            money.CURRENCY,
            money.amount("A", "Billed"),
        ],
        f"topk(20, sum by ({ID}, currency) ({billed}))",
        sort="Billed",
    ).span(24)


def _interruptions() -> panels.Panel:
    interrupted = recorded("account_region:sagemaker_training_spot_interruptions_total:max", TEAM)
    return (
        panels.bars(
            "Spot interruptions by region",
            "How often spot capacity was taken from a job in the time range.",
            now(f"sort_desc({increased(interrupted, 'aws_region')})", "{{aws_region}}"),
        )
        .unit("short")
        .decimals(0)
        .span(6)
    )


def _pools() -> panels.Panel:
    held = recorded(_PER_HOUR, TYPE, 'usage="warm_pool"')
    shown = panels.areas(
        "Idle warm pools, cost per hour",
        "What instances cost that are kept after a job and wait for the next one.",
        Query(f"sum by (instance_type, currency) ({held})", "{{instance_type}} {{currency}}"),
    )
    return money.in_currency(shown).span(8)


def _waiting_pools() -> panels.Panel:
    available = job("warm_pool_status", 'status="Available"')
    waits = f"on ({ID}) {what_it_is(TYPES)} and on ({ID}) {available} == 1"
    end = f"{job('training_end_timestamp_seconds', TARGET)} + {job('warm_pool_keep_alive_seconds')}"
    kept = each(job("cost", TARGET, 'usage="warm_pool"'), f"{ID}, instance_type, instance_group, currency")
    return tables.rows(
        "Warm pools that are idle now",
        "Available pools, what was billed for them so far, and when they end if no job reuses them.",
        [
            *tables.job_columns(board.JOB),
            tables.value("A", "Instances", "short", **{"custom.width": 90}),
            money.CURRENCY,
            money.amount("B", "Cost", **{"custom.width": 80}),
            tables.value("C", "Ends in", "s", decimals=0, **{"custom.width": 90}),
        ],
        f"{cluster(job('instances', TARGET))} and {waits}",
        f"sum by ({ID}, currency) ({kept}) and {waits}",
        f"{each(end)} - time() and {waits}",
        sort="Cost",
    ).span(10)


def _prices() -> panels.Panel:
    price = "sagemaker_instance_price_per_hour"
    listed = (
        f'max by (aws_region, instance_type, currency) ({price}{{aws_region=~"$region", {TYPE}, usage="{usage}"}})'
        for usage in ("training", "spot_training", "warm_pool")
    )
    return tables.rows(
        "Prices per hour",
        "The list price of one instance, adjustments not applied, of the types that jobs had.",
        [
            tables.label("instance_type", "Type"),
            tables.label("aws_region", "Region"),
            money.CURRENCY,
            money.amount("A", "Training", decimals=4),
            money.amount("B", "Spot training", decimals=4),
            money.amount("C", "Warm pool", decimals=4),
        ],
        *listed,
        sort="Training",
    ).span(16)


def _unpriced() -> panels.Panel:
    return (
        panels.bars(
            "Hours that no cost contains",
            "Billed instance hours so far, of all teams: no_price where the price list has none, training_plan for "
            "jobs that are paid for in advance.",
            now(f"sum by (reason) ({_UNPRICED}) / 3600", "{{reason}}"),
        )
        .unit(panels.INSTANCE_HOURS)
        .decimals(1)
        .span(8)
    )
