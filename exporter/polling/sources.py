"""Define `sagemaker_exporter_source_up`: the state of sources other than the jobs, such as prices, by target."""

from __future__ import annotations

from exporter.exposition.family import TARGET, Family, Group

_UP: Family[tuple[str, bool]] = Family(
    "sagemaker_exporter_source_up",
    "gauge",
    "Whether the last read of this source succeeded. No sample before the first read, or if the source is off.",
    TARGET,
    ("source",),
    lambda state: [((state[0],), float(state[1]))],
)

# One entry per target and source: the name of the source, and whether its last read succeeded.
SOURCES: Group[tuple[str, bool]] = Group("Other sources of a target", (_UP,))
