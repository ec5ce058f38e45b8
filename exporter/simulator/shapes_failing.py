"""Define shapes of jobs that do not complete, or not at the first attempt."""

from __future__ import annotations

import math
from dataclasses import replace

from exporter.simulator.casting import (
    Casting,
    failed,
    starting,
    uploading,
    usual,
    with_limits,
    with_spec,
    working,
)
from exporter.simulator.life import MAX_RUNTIME_EXCEEDED, Life, stop

TRACEBACK = (
    'AlgorithmError: ExecuteUserScriptError:\nExitCode 1\nErrorMessage "ValueError: loss is NaN"\n'
    'Command "/opt/conda/bin/python3.11 train.py --api_token hf_cDVhQm9ndXNUb2tlbjEyMzQ1", exit code: 1'
)
NO_DATA = (
    "ClientError: Data download failed:No S3 objects found under S3 URL "
    '"s3://customer-data/2026/train" given in input data source.'
)
INTERNAL = "InternalServerError: We encountered an internal error.  Please try again."
CAPACITY = (
    "CapacityError: Unable to provision requested ML compute capacity. Please retry using a different ML instance type."
)


def algorithm_error(cast: Casting) -> tuple[Life, ...]:
    """Return a job whose code fails in the middle of training."""
    life = usual(cast, "flaky-script")
    return (
        replace(
            life,
            phases=life.phases[:-1],
            ending=failed(TRACEBACK, "AlgorithmError"),
            metrics=life.metrics[:1],
        ),
    )


def client_error(cast: Casting) -> tuple[Life, ...]:
    """Return a job whose input data is missing."""
    life = usual(cast, "no-data")
    return (replace(life, phases=life.phases[:2], ending=failed(NO_DATA, "ClientError"), metrics=()),)


def internal_error(cast: Casting) -> tuple[Life, ...]:
    """Return a job that fails because of SageMaker, before or after it has instances."""
    life = usual(cast, "unlucky")
    return (
        replace(
            life,
            phases=life.phases[: cast.rng.choice((1, 3))],
            ending=failed(INTERNAL, "InternalServerError"),
            metrics=(),
        ),
    )


def capacity_error(cast: Casting) -> tuple[Life, ...]:
    """Return a job that fails because there is no capacity. It has no start, no end and no seconds."""
    return (
        replace(
            usual(cast, "capacity"),
            phases=(starting(cast, 600, 1200),),
            ending=failed(CAPACITY, "CapacityError"),
            metrics=(),
        ),
    )


def odd_failure(cast: Casting) -> tuple[Life, ...]:
    """Return a job that fails with an unknown reason, or without any."""
    reason = cast.rng.choice(("Please contact support (request 7f3a).", ""))
    life = usual(cast, "odd-failure")
    return (replace(life, phases=life.phases[:3], ending=failed(reason, "Other"), metrics=()),)


def retried(cast: Casting) -> tuple[Life, ...]:
    """Return a job with a retry strategy. After a failed attempt it goes back to Starting."""
    life = usual(cast, "retrying")
    attempts = tuple(
        phase
        for _ in range(cast.rng.randint(1, 2))
        for phase in (starting(cast), *working(cast)[: cast.rng.choice((1, 2))])
    )
    phases = (*attempts, starting(cast), *working(cast), uploading(cast))
    return (with_spec(replace(life, phases=phases), RetryStrategy={"MaximumRetryAttempts": 3}),)


def stopped(cast: Casting) -> tuple[Life, ...]:
    """Return a job that a user stops in the middle of training."""
    life = usual(cast, "stopped")
    training = sum(phase.seconds for phase in life.phases[:2]) + life.phases[2].seconds * cast.rng.uniform(0.2, 0.9)
    return (stop(life, life.created + training),)


def stopped_early(cast: Casting) -> tuple[Life, ...]:
    """Return a job that a user stops before it has instances."""
    life = usual(cast, "regretted")
    return (stop(life, life.created + life.phases[0].seconds * 0.5),)


def max_runtime(cast: Casting) -> tuple[Life, ...]:
    """Return a job that reaches MaxRuntimeInSeconds."""
    life = usual(cast, "too-long")
    limit = max(1, math.floor(sum(phase.seconds for phase in life.phases[1:3])))
    return (with_limits(replace(life, ending=MAX_RUNTIME_EXCEEDED), MaxRuntimeInSeconds=limit),)
