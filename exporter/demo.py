"""The exporter on an embedded, simulated SageMaker: something to look at without an AWS account."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from exporter.clock import Clock
from exporter.config import Config, Target
from exporter.ledger.ledger import Ledger
from exporter.ledger.statefile import StateError
from exporter.logs import Log
from exporter.simulator import Plan, ScaledClock, Simulator
from exporter.simulator.generator import DEMO_PACE

_log = Log(__name__)
ACCOUNTS = ("123456789012",)
REGIONS = ("us-east-1", "eu-west-1")
_UNPROXIED = "127.0.0.1,localhost"
# Settings of the user's own AWS account, of which the demo needs none.
_OF_THE_USER = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
)
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
            AWS_ACCESS_KEY_ID=simulator.access_key(ACCOUNTS[0]),
            AWS_SECRET_ACCESS_KEY=simulator.access_key(ACCOUNTS[0]),
            AWS_EC2_METADATA_DISABLED="true",
            # Nothing of the user's own may lead the demo away from the simulator.
            AWS_IGNORE_CONFIGURED_ENDPOINT_URLS="false",
            NO_PROXY=_UNPROXIED,
            no_proxy=_UNPROXIED,
        ):
            yield clock


@contextmanager
def _environment(**variables: str) -> Iterator[None]:
    """Set these, hide what leads to the user's own account, and put everything back."""
    before = dict(os.environ)
    os.environ.update(variables)
    for variable in _OF_THE_USER:
        os.environ.pop(variable, None)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def own_targets(config: Config) -> Config:
    """The configuration with the simulated targets, which are all there are."""
    targets = (Target(regions=REGIONS),)
    if config.targets == targets:
        return config
    _log.warning("the demo polls simulated jobs, not the configured targets", regions=", ".join(REGIONS))
    return config.model_copy(update={"targets": targets})


async def refuse_real_totals(path: str, clock: Clock) -> None:
    """Raises StateError for a state file that has totals of other accounts than the demo's."""
    if not path:
        return
    async with Ledger(path, clock.time) as ledger:
        real = {account for account, _ in ledger.targets()} - set(ACCOUNTS)
    if real:
        raise StateError(f"{path}: has totals of real accounts, to which the demo adds none; name another state.path")
