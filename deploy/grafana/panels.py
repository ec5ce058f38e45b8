"""Define the kinds of panels, in the style of all dashboards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from grafana_foundation_sdk.builders import bargauge, common, prometheus, stat, statetimeline, timeseries
from grafana_foundation_sdk.builders.dashboard import DashboardLink, FieldColor
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import common as models
from grafana_foundation_sdk.models import dashboard
from grafana_foundation_sdk.models.dashboard import DataSourceRef, DataTransformerConfig, FieldColorModeId
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from deploy.grafana.colors import BLUE, steps

Panel = Builder[dashboard.Panel]

DATASOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
NO_DATA = "-"
INSTANCE_HOURS = "suffix: instance-hours"
_CONSOLE = "https://{region}.console.aws.amazon.com/sagemaker/home?region={region}#/jobs/{job}"
# CloudWatch's console escapes the part after the # twice, with $ for %.
_LOGS = (
    "https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}#logsV2:log-groups/log-group/"
    "$252Faws$252Fsagemaker$252FTrainingJobs$3FlogStreamNameFilter$3D{job}$252F"
)


@dataclass(frozen=True, slots=True)
class Query:
    """A PromQL expression, the legend of its series, and its type: instant, at the end of the range, or range."""

    expr: str
    legend: str = ""
    when: Literal["instant", "range"] = "range"
    table: bool = False


def now(expr: str, legend: str = "") -> Query:
    """Return an instant query, evaluated at the end of the time range."""
    return Query(expr, legend, "instant")


def cells(expr: str) -> Query:
    """Return an instant query for a table, with a column for each label and one for the value."""
    return Query(expr, when="instant", table=True)


def targets(queries: Iterable[Query]) -> list[prometheus.Dataquery]:
    """Return the targets of a panel for these queries, named A, B, C, ..."""
    return [_target(query, chr(ord("A") + place)) for place, query in enumerate(queries)]


def single(title: str, description: str, *queries: Query) -> stat.Panel:
    """Return a panel with a single large number."""
    return (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .targets([*targets(queries)])
        .thresholds(steps(BLUE))
        .color_mode(models.BigValueColorMode.VALUE)
        .graph_mode(models.BigValueGraphMode.NONE)
        .reduce_options(_last())
        .no_value(NO_DATA)
        .height(4)
    )


def word(title: str, description: str, query: Query) -> stat.Panel:
    """Return a panel with a state: the name of the series that exists."""
    return single(title, description, query).text_mode(models.BigValueTextMode.NAME).unit("none")


def lines(title: str, description: str, *queries: Query) -> timeseries.Panel:
    """Return a panel with lines over the time range."""
    return (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .targets([*targets(queries)])
        .color_scheme(FieldColor().mode(FieldColorModeId.PALETTE_CLASSIC))
        .min(0)
        .line_width(1)
        .fill_opacity(10)
        .show_points(models.VisibilityMode.NEVER)
        .legend(_legend())
        .tooltip(_tooltip())
        .height(8)
    )


def areas(title: str, description: str, *queries: Query) -> timeseries.Panel:
    """Return a panel with stacked areas over the time range."""
    return lines(title, description, *queries).fill_opacity(60).stacking(_stacked())


def columns(title: str, description: str, *queries: Query) -> timeseries.Panel:
    """Return a panel with a bar for each interval."""
    return (
        lines(title, description, *queries).draw_style(models.GraphDrawStyle.BARS).fill_opacity(80).stacking(_stacked())
    )


def bars(title: str, description: str, *queries: Query) -> bargauge.Panel:
    """Return a panel with horizontal bars for a few values, in the order of the query."""
    return (
        bargauge.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .targets([*targets(queries)])
        .thresholds(steps(BLUE))
        .min(0)
        .orientation(models.VizOrientation.HORIZONTAL)
        .display_mode(models.BarGaugeDisplayMode.BASIC)
        .value_mode(models.BarGaugeValueMode.TEXT)
        .text(common.VizTextDisplayOptions().title_size(12).value_size(16))
        .reduce_options(_last())
        .no_value(NO_DATA)
        .height(8)
    )


def timeline(title: str, description: str, *queries: Query) -> statetimeline.Panel:
    """Return a state timeline, with a row for each series."""
    return (
        statetimeline.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .targets([*targets(queries)])
        .unit("none")
        .merge_values(True)
        .show_value(models.VisibilityMode.AUTO)
        .row_height(0.8)
        .fill_opacity(85)
        .line_width(0)
        .legend(_legend().show_legend(False))
        .tooltip(_tooltip())
        .height(8)
    )


def states(title: str, description: str, exprs: Mapping[str, str]) -> statetimeline.Panel:
    """Return a panel with a row for each query, which shows the value of the label that the query is named after."""
    shown = {"include": {"names": ["Time", *exprs]}}
    return timeline(title, description, *(Query(expr, table=True) for expr in exprs.values())).transformations(
        [DataTransformerConfig("filterFieldsByName", options=shown)]
    )


def in_aws(region: str, job: str) -> list[Builder[dashboard.DashboardLink]]:
    """Return links to a job in the AWS console, and to its logs. Both arguments are Grafana variables."""
    shown = {"AWS console": _CONSOLE, "Logs": _LOGS}
    return [opens(title, url.format(region=region, job=job)) for title, url in shown.items()]


def opens(title: str, url: str) -> Builder[dashboard.DashboardLink]:
    """Return a link for the values of a panel. External ones open in a new tab."""
    return DashboardLink(title).url(url).target_blank(url.startswith("https://"))


def _target(query: Query, name: str) -> prometheus.Dataquery:
    target = prometheus.Dataquery().datasource(DATASOURCE).ref_id(name).expr(query.expr)
    target = target.instant() if query.when == "instant" else target.range()
    if query.table:
        return target.format(PromQueryFormat.TABLE)
    return target.format(PromQueryFormat.TIME_SERIES).legend_format(query.legend or "__auto")


def _last() -> common.ReduceDataOptions:
    return common.ReduceDataOptions().calcs(["lastNotNull"]).values(False).fields("")


def _stacked() -> common.StackingConfig:
    return common.StackingConfig().mode(models.StackingMode.NORMAL).group("A")


def _legend() -> common.VizLegendOptions:
    return (
        common.VizLegendOptions()
        .display_mode(models.LegendDisplayMode.LIST)
        .placement(models.LegendPlacement.BOTTOM)
        .show_legend(True)
        .calcs([])
    )


def _tooltip() -> common.VizTooltipOptions:
    return common.VizTooltipOptions().mode(models.TooltipDisplayMode.MULTI).sort(models.SortOrder.DESCENDING)
