"""Start exporters as processes, and read their totals."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections import defaultdict
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import IO

from exporter.ledger.store import Target
from exporter.simulator import Simulator
from tests.chaos.truth import Samples, Series

_SERVICES = ("SAGEMAKER", "STS", "PRICING", "SERVICE_QUOTAS")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


async def start(
    config: Path, simulator: Simulator, log: IO[bytes] | None = None
) -> tuple[asyncio.subprocess.Process, str]:
    """Start an exporter on the simulator; return its process and the URL of its metrics. `log` gets its log."""
    environ = {
        **os.environ,
        **{f"AWS_ENDPOINT_URL_{service}": simulator.url for service in _SERVICES},
        "AWS_ACCESS_KEY_ID": simulator.access_key(),
        "AWS_SECRET_ACCESS_KEY": "simulated",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "exporter", "--config.file", str(config), "--log.level", "info" if log else "error",
        stdout=asyncio.subprocess.PIPE, stderr=log, env=environ,
    )  # fmt: skip
    assert process.stdout
    try:
        line = (await process.stdout.readline()).decode()
        return process, line.split()[2].rstrip(",")
    except BaseException:
        process.kill()
        await process.wait()
        raise


def totals(text: str) -> Mapping[Target, Samples]:
    """Return the totals of each target of which anything is shown: counters and histograms of training jobs."""
    found: defaultdict[Target, dict[Series, float]] = defaultdict(dict)
    counts = False
    for line in text.splitlines():
        if line.startswith("#"):
            if line.startswith("# TYPE "):
                counts = line.endswith((" counter", " histogram")) and line.startswith("# TYPE sagemaker_training_")
            continue
        series, _, value = line.rpartition(" ")
        target, key = _parsed(series)
        if target is None or key[0] == "sagemaker_exporter_target_held":
            continue
        samples = found[target]
        if counts:
            samples[key] = float(value)
    return dict(found)


@lru_cache(maxsize=100_000)
def _parsed(series: str) -> tuple[Target | None, Series]:
    name, _, text = series.partition("{")
    labels = _LABEL.findall(text)
    known = dict(labels)
    target = (known["aws_account_id"], known["aws_region"]) if "aws_account_id" in known else None
    return target, (name, tuple(sorted(labels)))
