"""Compute the labels that the Prometheus operator gives targets of a ServiceMonitor or PodMonitor."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

from tests.deploy.kubernetes import Object
from tests.prometheus import promtool


def labels(monitor: Object, folder: Path, **discovered: str) -> dict[str, str]:
    """Return the labels of a target, as computed by Prometheus itself.

    `discovered` are the labels from service discovery and the operator. Prometheus must also accept the relabelling of
    metrics; otherwise an AssertionError has its message.
    """
    (endpoint,) = monitor["spec"].get("endpoints") or monitor["spec"]["podMetricsEndpoints"]
    job = {
        "job_name": "operator",
        "scheme": endpoint.get("scheme", "http"),
        "metrics_path": endpoint["path"],
        "scrape_interval": endpoint["interval"],
        "scrape_timeout": endpoint["scrapeTimeout"],
        "static_configs": [{"targets": ["10.0.0.7:9841"], "labels": discovered}],
        "relabel_configs": _snake(endpoint.get("relabelings", [])),
        "metric_relabel_configs": _snake(endpoint.get("metricRelabelings", [])),
    }
    config = folder / "operator.yml"
    config.write_text(yaml.safe_dump({"scrape_configs": [job]}))
    checked = promtool("check", "config", config)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    found = promtool("check", "service-discovery", "--timeout=500ms", config, "operator")
    (target,) = json.loads(found.stdout)
    its: dict[str, str] = target["labels"]
    return {name: value for name, value in its.items() if not name.startswith("__")}


def _snake(relabelings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{re.sub("[A-Z]", lambda c: f"_{c[0].lower()}", key): v for key, v in each.items()} for each in relabelings]
