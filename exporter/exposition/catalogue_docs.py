"""The catalogue as people and programs read it: markdown for docs/metrics.md, JSON for tools."""

from __future__ import annotations

import json
from typing import Any

from exporter.catalogue import (
    CATALOGUE,
    FLEET_FAMILIES,
    JOB_FAMILIES,
    PROCESS_FAMILIES,
    TARGET_FAMILIES,
    TOTAL_FAMILIES,
)
from exporter.exposition.family import Family

_PARTS: tuple[tuple[str, tuple[Family[Any], ...]], ...] = (
    ("Each job", JOB_FAMILIES),
    ("The fleet, now", FLEET_FAMILIES),
    ("Totals", TOTAL_FAMILIES),
    ("The exporter and its targets", (*TARGET_FAMILIES, *PROCESS_FAMILIES)),
)


def as_json() -> str:
    """A list of {name, type, help, labels}."""
    rows = [{"name": f.name, "type": f.kind, "help": f.help, "labels": list(f.label_names)} for f in CATALOGUE]
    return json.dumps(rows, indent=2)


def as_markdown() -> str:
    """docs/metrics.md."""
    lines = [
        "# Metrics",
        "",
        "Generated from the catalogue by `sagemaker-exporter metrics`; do not edit.",
        "",
        "Times are Unix seconds, durations seconds, sizes bytes. What AWS does not say has no sample; nothing",
        "unknown is ever shown as 0. A label whose name ends in `KEY` stands for one label for each key that the",
        "configuration allows, named as kube-state-metrics names labels. With `totals.by_tags` the totals have these",
        "tags as labels too.",
    ]
    for title, families in _PARTS:
        lines += ["", f"## {title}", "", "| family | type | labels | meaning |", "|---|---|---|---|"]
        lines += [
            f"| `{f.name}` | {f.kind} | {', '.join(f'`{label}`' for label in f.label_names)} | {f.help} |"
            for f in families
        ]
    return "\n".join(lines)
