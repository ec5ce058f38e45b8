"""The exporter on an embedded, simulated SageMaker: something to look at without an AWS account."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from exporter.clock import Clock
from exporter.config import Config, TargetConfig
from exporter.ledger.opening import open_ledger
from exporter.ledger.store import StoreError
from exporter.process.logs import Log
from exporter.simulator import Plan, ScaledClock, Simulator
from exporter.simulator.generator import DEMO_PACE

_log = Log(__name__)
ACCOUNTS = ("123456789012",)
REGIONS = ("us-east-1", "eu-west-1")
# What --jobs and --speed may be: more is too much for one process to simulate and to poll.
JOBS = (1, 10_000)
SPEED = (0.01, 100.0)
# What the configuration leaves out.
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
    "totals": {"backfill": "1d"},
}


@dataclass(frozen=True, slots=True)
class Demo:
    """How many jobs are active at once (about), the seed of their lives, and how fast the simulated time runs."""

    jobs: int
    seed: int
    speed: float


@asynccontextmanager
async def simulated(demo: Demo) -> AsyncIterator[Clock]:
    """Runs the simulated API and points this process's AWS settings at it meanwhile; yields its clock."""
    clock = ScaledClock(demo.speed)
    plan = Plan(jobs=demo.jobs, pace=DEMO_PACE, strange=True)
    async with Simulator(clock=clock, seed=demo.seed, plan=plan, accounts=ACCOUNTS, regions=REGIONS) as simulator:
        with _environment(
            AWS_ENDPOINT_URL_SAGEMAKER=simulator.url,
            AWS_ENDPOINT_URL_STS=simulator.url,
            AWS_ENDPOINT_URL_PRICING=simulator.url,
            AWS_ACCESS_KEY_ID=simulator.access_key(ACCOUNTS[0]),
            AWS_SECRET_ACCESS_KEY=simulator.access_key(ACCOUNTS[0]),
            AWS_EC2_METADATA_DISABLED="true",
            # The files in the home directory are the user's own, too.
            AWS_CONFIG_FILE=os.devnull,
            AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        ):
            yield clock


@contextmanager
def _environment(**variables: str) -> Iterator[None]:
    """Hide what is for the user's own account, set these, and put everything back."""
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
    """The configuration with the simulated targets, which are all there are."""
    targets = (TargetConfig(regions=REGIONS),)
    if config.targets == targets:
        return config
    _log.warning("the demo polls simulated jobs, not the configured targets", regions=", ".join(REGIONS))
    return config.model_copy(update={"targets": targets})


async def refuse_real_totals(path: str, clock: Clock) -> None:
    """Raises StoreError for a state file that has totals of other accounts than the demo's."""
    if not path:
        return
    async with open_ledger(path, clock.time) as ledger:
        real = {account for account, _ in ledger.targets()} - set(ACCOUNTS)
    if real:
        raise StoreError(f"{path}: has totals of real accounts, to which the demo adds none; name another state.path")
