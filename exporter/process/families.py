"""The families of the process as a whole, `sagemaker_exporter_*`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from exporter.exposition.board import Board
from exporter.exposition.family import Family, Group, Kind, Row, counted, single


@dataclass(frozen=True, slots=True)
class ProcessHealth:
    """The health of the exporter as a whole. Times are Unix seconds; counters count since it `started`."""

    started: float
    version: str
    python_version: str
    reload_success: bool
    reloaded: float
    state_write_errors: int
    replicas: int = 1
    series: Mapping[str, int] = field(default_factory=dict)


def _process(
    name: str, kind: Kind, help_: str, labels: tuple[str, ...], rows: Callable[[ProcessHealth], Iterable[Row]]
) -> Family[ProcessHealth]:
    return Family(f"sagemaker_exporter_{name}", kind, help_, (), labels, rows, policy="")


_FAMILIES: tuple[Family[ProcessHealth], ...] = (
    _process(
        "build_info",
        "info",
        "The exporter's version, as labels of the value 1.",
        ("version", "pythonversion"),
        lambda health: [((health.version, health.python_version), 1.0)],
    ),
    _process(
        "config_reload_success",
        "gauge",
        "Whether the last load of the configuration succeeded.",
        (),
        lambda health: single(float(health.reload_success)),
    ),
    _process(
        "config_reload_timestamp_seconds",
        "gauge",
        "Unix time of the last successful load of the configuration.",
        (),
        lambda health: single(health.reloaded),
    ),
    _process(
        "state_write_errors_total",
        "counter",
        "Number of failed writes of the state file; their data is kept in memory and written later.",
        (),
        lambda health: single(float(health.state_write_errors)),
    ),
    _process(
        "replicas",
        "gauge",
        "Number of live replicas that share the targets, as this one sees it; 0 while it cannot tell.",
        (),
        lambda health: single(float(health.replicas)),
    ),
    _process(
        "series",
        "gauge",
        "Number of series in a scrape, by family.",
        ("family",),
        lambda health: [((family,), float(n)) for family, n in health.series.items()],
    ),
)

PROCESS: Group[ProcessHealth] = Group(
    "The exporter itself", _FAMILIES, lambda family, health: counted(family, health, health.started)
)
_SERIES = "sagemaker_exporter_series"


def show_process(board: Board, health: ProcessHealth) -> None:
    """Show the health of the process, with the number of series of each family; the `series` of `health` is ignored."""
    # Put twice, because these families count themselves: the first time makes their series exist.
    board.put(PROCESS, "process", (), health)
    series = board.series()
    # The family of the counts has one series per family, itself included.
    if _SERIES in series:
        series[_SERIES] = len(series)
    board.put(PROCESS, "process", (), replace(health, series=series))
