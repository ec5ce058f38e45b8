"""Runs the exporter on an embedded simulator of SageMaker, to try it without an AWS account."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from exporter.clock import Clock
from exporter.config import Config, State, TargetConfig
from exporter.ledger.opening import open_ledger
from exporter.ledger.store import StoreError
from exporter.process.logs import Log
from exporter.simulator import Plan, Quotas, ScaledClock, Simulator
from exporter.simulator.generator import DEMO_PACE

_log = Log(__name__)
ACCOUNTS = ("123456789012",)
REGIONS = ("us-east-1", "eu-west-1")
# Defaults for keys that the configuration omits: shorter intervals and higher rates, so that changes show quickly.
SETTINGS = {
    "polling": {
        "discovery_interval": "5s",
        "active_interval": "5s",
        "settle": "30s",
        "list_rps": 10.0,
        "describe_rps": 100.0,
    },
    "targets": [{"regions": list(REGIONS)}],
    "jobs": {"tags": ["team", "project"], "hyperparameters": ["epochs", "learning_rate"], "failure_reason_length": 80},
    "totals": {"backfill": "1d", "by_tags": ["team"]},
    # Simulated jobs take minutes, and the simulator bills nothing.
    "cloudwatch": {
        "utilization": ["cpu", "memory", "gpu", "gpu_memory", "disk"],
        "algorithm_metrics": ["*"],
        "interval": "10s",
        "max_metrics_per_hour": 1_000_000_000,
    },
}


@dataclass(frozen=True, slots=True)
class Demo:
    """The approximate number of active jobs, the seed of the simulation, and the speed of simulated time."""

    jobs: int
    seed: int
    speed: float


@asynccontextmanager
async def simulated(demo: Demo) -> AsyncIterator[Clock]:
    """Run the simulator during the block, with the AWS settings of this process pointing at it. Yields its clock."""
    clock = ScaledClock(demo.speed)
    plan = Plan(jobs=demo.jobs, pace=DEMO_PACE)
    # Quotas that the fleet comes near to.
    quotas = Quotas().times(max(1.0, demo.jobs / Plan().jobs))
    async with Simulator(
        clock=clock, seed=demo.seed, plan=plan, quotas=quotas, accounts=ACCOUNTS, regions=REGIONS
    ) as simulator:
        with _environment(
            # Of every service, also of one that is read in addition later.
            AWS_ENDPOINT_URL=simulator.url,
            AWS_ACCESS_KEY_ID=simulator.access_key(ACCOUNTS[0]),
            AWS_SECRET_ACCESS_KEY=simulator.access_key(ACCOUNTS[0]),
            AWS_EC2_METADATA_DISABLED="true",
            # Otherwise the SDK reads the user's files in the home directory.
            AWS_CONFIG_FILE=os.devnull,
            AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        ):
            yield clock


@contextmanager
def _environment(**variables: str) -> Iterator[None]:
    """Set these environment variables during the block, without the user's AWS and proxy settings; restore all."""
    before = dict(os.environ)
    for name in before:
        if name.startswith("AWS_") or name.lower().endswith("_proxy"):
            del os.environ[name]
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def own_targets(config: Config) -> Config:
    """Return the configuration with the simulated targets instead of the configured ones."""
    targets = (TargetConfig(regions=REGIONS),)
    if config.targets == targets:
        return config
    _log.warning("the demo polls simulated jobs, not the configured targets", regions=", ".join(REGIONS))
    return config.model_copy(update={"targets": targets})


async def refuse_real_totals(state: State, clock: Clock) -> None:
    """Raise StoreError if a state file has totals of other accounts than the demo's, and for every database."""
    if state.url:
        raise StoreError("state.url: the demo keeps its totals in memory or in a file; leave the URL out")
    if not state.path:
        return
    async with open_ledger(state.path, clock.time) as ledger:
        real = {account for account, _ in ledger.targets()} - set(ACCOUNTS)
    if real:
        raise StoreError(f"{state.path}: contains totals of real accounts; the demo needs another state.path")
