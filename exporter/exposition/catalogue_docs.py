"""Render the catalogue as Markdown for docs/metrics.md, and as JSON for tools."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from exporter.exposition.family import Group


def as_json(groups: Iterable[Group[Any]]) -> str:
    """Return a JSON array of {name, type, help, labels}."""
    families = [family for group in groups for family in group.families]
    rows = [{"name": f.name, "type": f.kind, "help": f.help, "labels": list(f.label_names)} for f in families]
    return json.dumps(rows, indent=2)


def as_markdown(groups: Iterable[Group[Any]]) -> str:
    """Return the content of docs/metrics.md."""
    lines = [
        "# Metrics",
        "",
        "Generated from the catalogue by `sagemaker-exporter metrics`; do not edit.",
        "",
        "Times are Unix seconds, durations are seconds, sizes are bytes. A value that AWS does not return has no",
        "sample; nothing unknown is shown as 0. A label whose name ends in `KEY` stands for one label per key that the",
        "configuration allows, named as kube-state-metrics names labels. With `totals.by_tags` the totals have these",
        "tags as labels too. The type `info` is a gauge in Prometheus's text format.",
    ]
    for group in groups:
        lines += ["", f"## {group.title}", "", "| family | type | labels | meaning |", "|---|---|---|---|"]
        lines += [
            f"| `{f.name}` | {f.kind} | {', '.join(f'`{label}`' for label in f.label_names)} | {f.help} |"
            for f in group.families
        ]
    return "\n".join(lines)
