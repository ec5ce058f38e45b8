"""Build tables from instant queries, whose rows are joined by equal labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from grafana_foundation_sdk.builders import common, table
from grafana_foundation_sdk.models.dashboard import DataTransformerConfig

from deploy.grafana import panels
from deploy.grafana.colors import Override, override, steps, words
from deploy.grafana.panels import DATASOURCE, NO_DATA, cells, targets

VALUE = "Value"
TEXT: Mapping[str, object] = {"custom.cellOptions": {"type": "color-text"}}
_SPOT = {"true": "spot", "false": "on demand"}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: the label or the query whose value it shows, its title, and the settings of its cells."""

    source: str
    title: str
    settings: Mapping[str, object] = field(default_factory=dict)


def value(query: str, title: str, unit: str, **settings: object) -> Column:
    """Return a column with the value of the query of this name (A, B, ...)."""
    return Column(f"{VALUE} #{query}", title, {"unit": unit, "custom.width": 115, **settings})


def label(name: str, title: str, **settings: object) -> Column:
    """Return a column with a label."""
    return Column(name, title, settings)


def colored(first: str, *above: tuple[float, str]) -> dict[str, object]:
    """Settings that color a cell's text by its value."""
    return {**TEXT, "thresholds": steps(first, *above).build()}


def job_columns(dashboard: str) -> tuple[Column, ...]:
    """Who the job is, linked to its dashboard, to the AWS console and to its logs."""
    to_job = (
        f"/d/{dashboard}?var-datasource=${{datasource}}&var-account=${{__data.fields.Account}}"
        "&var-region=${__data.fields.Region}&var-job=${__data.fields.Job}&${__url_time_range}"
    )
    place = ("${__data.fields.Region}", "${__data.fields.Job}")
    links = [panels.opens("This job", to_job), *panels.in_aws(*place)]
    return (
        label("job_name", "Job", links=[link.build() for link in links]),
        label("aws_account_id", "Account", **{"custom.width": 130}),
        label("aws_region", "Region", **{"custom.width": 115}),
    )


# What a job is, from job:sagemaker_training_job_info:max.
KIND_COLUMNS = (
    label("instance_type", "Type", **{"custom.width": 130}),
    label("spot", "Capacity", mappings=words(_SPOT), **{"custom.width": 95}),
    label("owner", "Team", **{"custom.width": 95}),
)


def rows(
    title: str, description: str, shown: Sequence[Column], *exprs: str, sort: str = "", desc: bool = True
) -> table.Panel:
    """Return a table with these columns; results with equal labels are merged into one row."""
    panel = (
        _table(title, description)
        .targets([*targets(cells(expr) for expr in exprs)])
        .transformations(_transformations(shown, len(exprs)))
        .overrides([*_overrides(shown)])
    )
    return panel.sort_by([common.TableSortByFieldState().display_name(sort).desc(desc)]) if sort else panel


def facts(title: str, description: str, *exprs: str) -> table.Panel:
    """Return a table with one row for each label of the results. Empty labels are left out."""
    return (
        _table(title, description)
        .targets([*targets(panels.now(expr) for expr in exprs)])
        .transformations(
            [
                DataTransformerConfig("labelsToFields", options={"mode": "rows"}),
                DataTransformerConfig("merge", options={}),
                DataTransformerConfig("organize", options={"renameByName": {"label": "Label", "value": VALUE}}),
            ]
        )
        .overrides([override("Label", {"custom.width": 190})])
    )


def _table(title: str, description: str) -> table.Panel:
    return (
        table.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .show_header(True)
        .no_value(NO_DATA)
        .height(8)
    )


def _transformations(shown: Sequence[Column], queries: int) -> list[DataTransformerConfig]:
    """Return the transformations that merge the results and select, order and rename the columns.

    Grafana names the value column of a single query "Value", and those of several "Value #A", "Value #B".
    """
    names = [column.source if queries > 1 else column.source.partition(" #")[0] for column in shown]
    return [
        DataTransformerConfig("merge", options={}),
        DataTransformerConfig("filterFieldsByName", options={"include": {"names": names}}),
        DataTransformerConfig(
            "organize",
            options={
                "indexByName": {name: place for place, name in enumerate(names)},
                "renameByName": {name: column.title for name, column in zip(names, shown, strict=True)},
            },
        ),
    ]


def _overrides(shown: Sequence[Column]) -> list[Override]:
    return [override(column.title, column.settings) for column in shown if column.settings]
