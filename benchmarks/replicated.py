"""Render the results of replicas as Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.formats import duration, size, table

Results = Mapping[str, Any]
_HEAD = """## Replicas

Measured on {date} by `make bench ARGS="--parts replicas --targets {targets}"`, load before {load:.1f}, with PostgreSQL
{postgres} on the same machine. The same polls of 1,000 jobs as above, in a state file and in PostgreSQL. The statements
of a pipeline are one round trip; each adds the time of the network to that of PostgreSQL.
"""
_TARGETS = """{targets} targets with {jobs} active jobs each, listed and described every {interval:g} s: one process
with a state file, and three replicas. CPU is the share of one processor. "taken over" is the time from a kill of one
replica until the others hold all targets, of which they wait 6 s.
"""


def section(results: Results) -> list[str]:
    """Return what was measured of replicas."""
    found = results["replicas"]
    head = _HEAD.format(
        date=results["machine"]["date"], load=results["load"], postgres=found["postgres"], targets=found["number"]
    )
    targets = found["targets"]
    return [
        head,
        table(
            (
                "1,000 readings of",
                "round trips",
                "time",
                "to a state file",
                "CPU",
                "to a state file",
                "CPU of the server",
            ),
            [_transaction(kind, stores) for kind, stores in found["transactions"].items()],
        ),
        _TARGETS.format(targets=found["number"], jobs=found["jobs"], interval=found["interval"]),
        table(
            (
                "",
                "targets of each",
                "CPU of each",
                "CPU, to one process",
                "memory of each",
                "read",
                "transactions",
                "taken over",
            ),
            [_shared(targets[name], targets["one"]) for name in ("one", "replicas")],
        ),
    ]


def _transaction(kind: str, stores: Results) -> list[str]:
    ours, file = stores["postgres"], stores["sqlite"]
    return [
        f"{kind} jobs",
        f"{ours['trips']:.0f}",
        duration(ours["wall"]),
        f"{ours['wall'] / file['wall']:.1f} times",
        duration(ours["cpu"]),
        f"{ours['cpu'] / file['cpu']:.1f} times",
        duration(ours["server"]),
    ]


def _shared(figures: Results, one: Results) -> list[str]:
    several = len(figures["cpu"]) > 1
    return [
        "three replicas" if several else "one process",
        ", ".join(map(str, figures["held"])),
        ", ".join(f"{cpu:.1%}" for cpu in figures["cpu"]),
        f"{sum(figures['cpu']) / sum(one['cpu']):.2f} times" if several else "",
        ", ".join(map(size, figures["memory"])),
        duration(figures["read_seconds"]),
        f"{figures['commits']:.0f} a second" if several else "",
        duration(figures["takeover_seconds"]) if several else "",
    ]
