"""Implement `python -m benchmarks.dashboards`: time the dashboards' queries on a Prometheus that scraped many jobs.

Prometheus scrapes the demo and evaluates all rules for some minutes. Then one that only has these data is asked: each
panel as Grafana does for a screen of 1,000 points, but over the minutes that there are, and each rule at one moment.
The CPU time of Prometheus counts; how long an answer takes depends on what else the machine does. Writes a section of
docs/scaling.md.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks import machine
from exporter.demo import ACCOUNTS, REGIONS
from tests.deploy import boards
from tests.deploy.boards import BOARDS
from tests.deploy.ruleset import FILES
from tests.deploy.ruleset import load as load_file
from tests.e2e.demonstration import demonstration
from tests.prometheus import Prometheus, running

BEGIN, END = "<!-- begin: benchmarks/dashboards.py -->\n", "<!-- end -->\n"
_TIMES = 3
_POINTS = 1000
_SCRAPE = 30
_HOURS = {"now-3h": 3, "now-6h": 6, "now-24h": 24, "now/M": 30 * 24}
_UNITS = {"s": 1, "m": 60, "d": 86400}
# Simulated time is slow, so that as many jobs end as with jobs of hours. AWS bills none of these requests.
_SPEED = "0.1"
_CONFIG = """
polling: {strategy: search, active_interval: 1m, discovery_interval: 30s, search_rps: 20, list_rps: 20}
jobs: {tags: [team]}
totals: {by_tags: [team]}
cloudwatch: {utilization: [gpu, memory, disk], interval: 1m, max_metrics_per_hour: 1000000000}
"""
_PROMETHEUS = """
global: {{scrape_interval: {interval}s, scrape_timeout: 25s, evaluation_interval: 1m}}
rule_files: {rules}
scrape_configs: [{{job_name: sagemaker-exporter, static_configs: [{{targets: ["{address}"]}}]}}]
"""


_TARGETS = len(ACCOUNTS) * len(REGIONS)
_A_JOB = "topk(1, job:sagemaker_training_job_phase_start_timestamp_seconds:max)"
_COUNTS = {
    "jobs": "sum(sagemaker_exporter_target_jobs)",
    "active": "sum(sagemaker_training_jobs)",
    "samples": "sum(scrape_samples_scraped)",
    "recorded": 'count({__name__=~".+:sagemaker_.+"})',
}


@dataclass(frozen=True, slots=True)
class Timed:
    """What all queries of a panel or of a group of rules take: CPU time and time until the answer, in seconds."""

    name: str
    cpu: float
    waited: float
    queries: int


async def measure(jobs: int, minutes: float) -> dict[str, Any]:
    """Return the times of every panel and of every group of rules, the number of jobs and series, and the machine."""
    with TemporaryDirectory() as name:
        end = await collect(Path(name), jobs, minutes)
        return await ask(Path(name), end, minutes)


async def collect(folder: Path, jobs: int, minutes: float) -> float:
    """Scrape so many jobs for some minutes into `folder`, evaluate all rules, and return the time of the end."""
    (folder / "config.yaml").write_text(_CONFIG)
    flags = ("--jobs", str(jobs), "--seed", "1", "--speed", _SPEED, "--config.file", str(folder / "config.yaml"))
    with demonstration(folder, *flags) as demo:
        config = _PROMETHEUS.format(interval=_SCRAPE, rules=[str(file) for file in FILES], address=demo.address)
        async with running(config, folder) as server:
            # A target has these samples once all its jobs were read.
            known = f"count(sum by (aws_account_id, aws_region) (sagemaker_training_jobs)) >= {_TARGETS}"
            await server.wait_until(lambda: server.query(known), within=900)
            await asyncio.sleep(minutes * 60)
            await server.wait_until(lambda: server.query(_A_JOB), within=150)
            return time.time()


async def ask(folder: Path, end: float, minutes: float) -> dict[str, Any]:
    """Ask a Prometheus that scrapes nothing and evaluates no rules of its own."""
    load = machine.load()
    async with running("{}", folder) as server:
        (job,) = await server.query(_A_JOB, end)
        values = {name: ".*" for uid in BOARDS for name in boards.is_all(BOARDS[uid])} | {
            "job": job.labels["job_name"],
            "__range": f"{minutes * 60:.0f}s",
            "__range_s": f"{minutes * 60:.0f}",
            "__rate_interval": f"{4 * _SCRAPE}s",
        }
        asked = _Asked(server, values, end, minutes * 60)
        times = {uid: [await asked.panel(uid, panel) for panel in boards.panels(BOARDS[uid])] for uid in BOARDS}
        rules = {group["name"]: await asked.rules(group) for file in FILES for group in load_file(file)["groups"]}
        counts = {name: round((await server.query(expr, end))[0].value) for name, expr in _COUNTS.items()}
    described = {"machine": machine.described(), "load": load, "minutes": minutes}
    return {**described, **counts, "times": times, "rules": rules}


@dataclass(frozen=True, slots=True)
class _Asked:
    """Ask a server at `end` and over `history` seconds before, with these values of Grafana's variables."""

    server: Prometheus
    values: Mapping[str, str]
    end: float
    history: float

    async def panel(self, uid: str, panel: Mapping[str, Any]) -> Timed:
        """Time the queries of a panel."""
        queries = [*boards.asked_by(uid, panel)]
        step = self.history / points(uid, panel)
        exprs = [(boards.filled(query.expr, self.values), None if query.instant else step) for query in queries]
        return await self._timed(panel["title"], exprs)

    async def rules(self, group: Mapping[str, Any]) -> Timed:
        """Time one evaluation of a group of rules."""
        return await self._timed(group["name"], [(rule["expr"], None) for rule in group["rules"]])

    async def _timed(self, name: str, exprs: Sequence[tuple[str, float | None]]) -> Timed:
        """Ask each query some times, and return the averages of their sums."""
        cpu, began = await self._cpu(), time.perf_counter()
        for _ in range(_TIMES):
            for expr, step in exprs:
                if step is None:
                    await self.server.query(expr, self.end)
                else:
                    await self.server.query_range(expr, self.end - self.history, self.end, step)
        waited = (time.perf_counter() - began) / _TIMES
        return Timed(name, (await self._cpu() - cpu) / _TIMES, waited, len(exprs))

    async def _cpu(self) -> float:
        """Return the CPU time of the server so far, in seconds."""
        text = await self.server.metrics()
        return float(text.rpartition("\nprocess_cpu_seconds_total ")[2].partition("\n")[0])


def points(uid: str, panel: Mapping[str, Any]) -> float:
    """Return how many points of a graph Grafana asks for over the time range that the dashboard opens with."""
    span = _HOURS[BOARDS[uid]["time"]["from"]] * 3600
    interval = panel.get("interval") or f"{_SCRAPE}s"
    return min(_POINTS, span / (int(interval[:-1]) * _UNITS[interval[-1]]))


def section(results: Mapping[str, Any]) -> str:
    """Return the results as a section of a document."""
    rules: Mapping[str, Timed] = results["rules"]
    its, counts = results["machine"], {name: f"{results[name]:,}" for name in _COUNTS}
    lines = [
        f"{counts['jobs']} jobs, of them {counts['active']} active, in {counts['samples']} series of the exporter and",
        f"{counts['recorded']} of the rules; {results['minutes']:.0f} minutes of scrapes every {_SCRAPE} s.",
        f"{its['processor']}, {its['memory']}, shared with other work: load {results['load']:.1f} when the queries",
        f"began; {its['date']}.",
        "",
        "| dashboard | panels | queries | CPU | answered in | most CPU in a panel |",
        "|---|---|---|---|---|---|",
        *(_board(uid, panels) for uid, panels in results["times"].items()),
        "",
        "| group of rules | rules | CPU of an evaluation | answered in |",
        "|---|---|---|---|",
        *(
            f"| {name} | {of.queries} | {_seconds(of.cpu)} | {_seconds(of.waited)} |"
            for name, of in sorted(rules.items())
        ),
    ]
    return "\n".join(lines) + "\n"


def _group(of: Timed) -> str:
    return f"| {of.name} | {of.queries} | {_seconds(of.cpu)} | {_seconds(of.waited)} |"


def _board(uid: str, panels: Sequence[Timed]) -> str:
    most = max(panels, key=lambda panel: panel.cpu)
    cpu, waited = (_seconds(sum(times)) for times in zip(*((panel.cpu, panel.waited) for panel in panels), strict=True))
    queries = sum(panel.queries for panel in panels)
    title = BOARDS[uid]["title"].partition(" / ")[2]
    return f"| {title} | {len(panels)} | {queries} | {cpu} | {waited} | {most.name}: {_seconds(most.cpu)} |"


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def placed(document: str, text: str) -> str:
    """Return the document with this text between the marks."""
    return re.sub(f"(?<={BEGIN}).*?(?={END})", lambda _: text, document, count=1, flags=re.DOTALL)


def main(arguments: list[str] | None = None) -> None:
    """Measure, print the section, and write it into a document."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dashboards", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--jobs", type=int, default=2_500, help="jobs that are active at a time; about four times as many are shown"
    )
    parser.add_argument("--minutes", type=float, default=15.0, help="how long Prometheus scrapes before it is asked")
    parser.add_argument("--document", type=Path, help="where to write the section, such as docs/scaling.md")
    options = parser.parse_args(arguments)
    text = section(asyncio.run(measure(options.jobs, options.minutes)))
    sys.stdout.write(text)
    if options.document:
        options.document.write_text(placed(options.document.read_text(), text))


if __name__ == "__main__":
    main()
