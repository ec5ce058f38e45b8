"""Mark on the graphs of all dashboards when the exporter was restarted or reloaded, and while a target was down."""

from __future__ import annotations

from grafana_foundation_sdk.models import dashboard as models

from deploy.grafana import colors
from deploy.grafana.panels import DATASOURCE
from deploy.grafana.promql import TARGET, each, own

_STARTED = "process_start_time_seconds"
_LOADED = own("config_reload_timestamp_seconds")


class Mark(models.AnnotationQuery):
    """Mark a moment, whose Unix time in milliseconds is the value of `expr`, or else the time in which the value is 1.

    The last three settings are of Grafana's Prometheus data source, and the SDK does not know them.
    """

    def __init__(self, name: str, color: str, expr: str, text: str, *, moment: bool) -> None:
        super().__init__(name=name, datasource=DATASOURCE, icon_color=color, expr=expr, hide=False)
        self._more = {"titleFormat": name, "textFormat": text, "useValueForTime": moment}

    def to_json(self) -> dict[str, object]:
        """Return what Grafana reads."""
        return {**super().to_json(), **self._more}


def marks() -> list[Mark]:
    """Return the marks. What is loaded within a minute of the start is part of the start."""
    exporters = f"on (instance, job) {own('build_info')}"
    return [
        Mark("Restart", "purple", f"({_STARTED} and {exporters}) * 1000", "{{instance}}", moment=True),
        Mark(
            "Reload",
            colors.BLUE,
            f"({_LOADED} unless {_LOADED} - {_STARTED} < 60) * 1000",
            "The configuration of {{instance}}",
            moment=True,
        ),
        Mark(
            "Target down",
            colors.RED,
            f"{each(own('target_up', TARGET), 'aws_account_id, aws_region')} == bool 0",
            "{{aws_region}} {{aws_account_id}}",
            moment=False,
        ),
    ]
