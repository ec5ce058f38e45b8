"""Show costs in the currency of their price list, which is a label: amounts in two currencies are never added up."""

from __future__ import annotations

from typing import TypeVar

from grafana_foundation_sdk.builders import bargauge, stat, timeseries

from deploy.grafana import colors, tables
from deploy.grafana.tables import Column

_Shown = TypeVar("_Shown", stat.Panel, bargauge.Panel, timeseries.Panel)

CURRENCY = tables.label("currency", "Currency", **{"custom.width": 90})


def in_currency(panel: _Shown) -> _Shown:
    """Return the panel with the unit of the currency that each of its legends ends with."""
    return panel.overrides(colors.in_yuan()).unit("currencyUSD").decimals(2)


def amount(query: str, title: str, **settings: object) -> Column:
    """Return a column with an amount in the currency that the row names."""
    return tables.value(query, title, "none", **{"decimals": 2, **settings})
