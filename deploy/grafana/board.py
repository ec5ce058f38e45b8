"""Build dashboards: variables, links between them, time ranges, rows of panels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders.dashboard import (
    Dashboard,
    DashboardLink,
    DatasourceVariable,
    QueryVariable,
    Row,
)
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as models

from deploy.grafana.marks import marks
from deploy.grafana.panels import DATASOURCE
from deploy.grafana.promql import TARGET, job, own, recorded

TAG = "sagemaker-exporter"
FLEET, JOB, COST, EXPORTER = "sagemaker-fleet", "sagemaker-job", "sagemaker-cost", "sagemaker-exporter"
UTILIZATION = "sagemaker-utilization"
Panels = Sequence[Builder[models.Panel]]


@dataclass(frozen=True, slots=True)
class Section:
    """A titled row of panels. A collapsed row is queried only when it is opened."""

    title: str
    panels: Panels
    collapsed: bool = False


@dataclass(frozen=True, slots=True)
class Board:
    """A dashboard. Its default time range is from `since` to now, in `timezone`."""

    uid: str
    title: str
    description: str
    variables: Sequence[Builder[models.VariableModel]]
    sections: Sequence[Section]
    since: str
    refresh: str
    timezone: str = "browser"

    def build(self) -> models.Dashboard:
        """Return the dashboard with all panels placed, and numbered in order."""
        builder = (
            Dashboard(self.title)
            .uid(self.uid)
            .description(self.description)
            .tags([TAG])
            .editable()
            .tooltip(models.DashboardCursorSync.CROSSHAIR)
            .timezone(self.timezone)
            .time(self.since, "now")
            .refresh(self.refresh)
            .link(_to_the_others())
            .variables([data_source(), *self.variables])
        )
        for section in self.sections:
            _place(builder, section)
        built = _numbered(builder.build())
        built.annotations = models.AnnotationContainer([*marks()])
        return built


def data_source() -> DatasourceVariable:
    """Return the variable of the Prometheus data source."""
    return DatasourceVariable("datasource").label("Data source").type("prometheus")


def account() -> QueryVariable:
    """Return the variable of the polled AWS accounts."""
    return _several("account", "Account", own("target_up"), "aws_account_id")


def region() -> QueryVariable:
    """Return the variable of the regions of these accounts."""
    return _several("region", "Region", own("target_up", 'aws_account_id=~"$account"'), "aws_region")


def instance_type() -> QueryVariable:
    """Return the variable of the instance types that jobs use or have used."""
    either = '__name__=~"sagemaker_training_(instances|instance_seconds_total)"'
    types = _several("instance_type", "Instance type", f"{{{either}, {TARGET}}}", "instance_type")
    return types.description("Of jobs, instances and instance hours. What is not told by type stays whole.")


def team() -> QueryVariable:
    """The teams that costs are counted by."""
    spent = recorded("type_usage:sagemaker_training_cost_total:max")
    return _several("team", "Team", spent, "tag_team").description(
        "Of spend and savings; needs totals.by_tags: [team]."
    )


def one_job() -> QueryVariable:
    """Return the variable of a single job, among those that had series in the time range."""
    return _query("job", "Job", job("status", TARGET), "job_name").multi(False).include_all(False)


def with_variables(uid: str, *names: str) -> str:
    """Return the URL of another dashboard, with the current values of these variables and the same time range."""
    same = "".join(f"&${{{name}:queryparam}}" for name in names)
    return f"/d/{uid}?var-datasource=${{datasource}}{same}&${{__url_time_range}}"


def _several(name: str, title: str, selector: str, label: str) -> QueryVariable:
    everything = models.VariableOption(selected=True, text=["All"], value=["$__all"])
    return _query(name, title, selector, label).multi(True).include_all(True).all_value(".*").current(everything)


def _query(name: str, title: str, selector: str, label: str) -> QueryVariable:
    return (
        QueryVariable(name)
        .label(title)
        .datasource(DATASOURCE)
        .query(f"label_values({selector}, {label})")
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
    )


def _to_the_others() -> DashboardLink:
    return (
        DashboardLink("SageMaker")
        .type(models.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .include_vars(True)
        .keep_time(True)
        .icon("external link")
    )


def _place(builder: Dashboard, section: Section) -> None:
    row = Row(section.title).collapsed(section.collapsed)
    if section.collapsed:
        for panel in section.panels:
            row.with_panel(panel)
    builder.with_row(row)
    if not section.collapsed:
        for panel in section.panels:
            builder.with_panel(panel)


def _numbered(dashboard: models.Dashboard) -> models.Dashboard:
    number = 0
    for panel in dashboard.panels or ():
        panel.id_val = number = number + 1
        for inner in panel.panels if isinstance(panel, models.RowPanel) else ():
            inner.id_val = number = number + 1
    return dashboard
