"""Write the JSON of all dashboards beside this file, or into a given folder."""

from __future__ import annotations

import sys
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from deploy.grafana import cost, exporter, fleet, job, utilization

BOARDS = (fleet.build(), job.build(), cost.build(), exporter.build(), utilization.build())


def write(folder: Path) -> None:
    """Write a file for each dashboard, named after its uid."""
    for each in BOARDS:
        text = JSONEncoder(sort_keys=True, indent=2, ensure_ascii=False).encode(each.build())
        (folder / f"{each.uid}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
