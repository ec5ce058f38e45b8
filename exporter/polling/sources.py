"""The family of the sources that a target has beside its jobs: `sagemaker_exporter_source_up`."""

from __future__ import annotations

from exporter.exposition.family import TARGET, Family, Group

_UP: Family[tuple[str, bool]] = Family(
    "sagemaker_exporter_source_up",
    "gauge",
    "Whether the last read of this source succeeded; no sample before the first one, nor where it is off.",
    TARGET,
    ("source",),
    lambda state: [((state[0],), float(state[1]))],
)

# A thing for each target and source: the source's name, and whether its last read succeeded.
SOURCES: Group[tuple[str, bool]] = Group("Other sources of a target", (_UP,))
