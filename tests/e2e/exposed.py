"""Look up samples in an exposition by family and labels, and point the environment at a simulator."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from exporter.simulator import Simulator

Labels = dict[str, str]


class Exposed:
    """Hold a parsed exposition in Prometheus's text format."""

    def __init__(self, text: str) -> None:
        self.families = list(text_string_to_metric_families(text))
        self._rows: dict[str, list[tuple[Labels, float]]] = {}
        for family in self.families:
            for sample in family.samples:
                self._rows.setdefault(sample.name, []).append((sample.labels, sample.value))

    def rows(self, name: str, **labels: str) -> list[tuple[Labels, float]]:
        """Return the samples of that name that have these labels."""
        return [(its, value) for its, value in self._rows.get(name, ()) if labels.items() <= its.items()]

    def value(self, name: str, **labels: str) -> float | None:
        """Return the value of the only such sample, None if there is none."""
        rows = self.rows(name, **labels)
        assert len(rows) < 2, f"{name} {labels}: {rows}"
        return rows[0][1] if rows else None

    def by(self, name: str, *by: str, **labels: str) -> dict[tuple[str, ...], float]:
        """Return the values other than 0 by these labels. Fails if two series differ only in other labels."""
        found: dict[tuple[str, ...], float] = {}
        for its, value in self.rows(name, **labels):
            key = tuple(its[label] for label in by)
            assert key not in found, f"{name} {labels}: twice {key}"
            if value:
                found[key] = value
        return found


def lead_to(simulator: Simulator, patch: pytest.MonkeyPatch) -> None:
    """Point this process's AWS settings at the simulator, as a member of its first account."""
    patch.setenv("AWS_ENDPOINT_URL_SAGEMAKER", simulator.url)
    patch.setenv("AWS_ENDPOINT_URL_STS", simulator.url)
    patch.setenv("AWS_ENDPOINT_URL_PRICING", simulator.url)
    patch.setenv("AWS_ENDPOINT_URL_SERVICE_QUOTAS", simulator.url)
    patch.setenv("AWS_ENDPOINT_URL_CLOUDWATCH", simulator.url)
    patch.setenv("AWS_ACCESS_KEY_ID", simulator.access_key())
