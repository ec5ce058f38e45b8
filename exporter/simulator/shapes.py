"""Define all shapes of jobs. A shape is a function from a casting to one life, or to two if one job follows another."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

from exporter.simulator import shapes_extra as extra
from exporter.simulator import shapes_failing as failing
from exporter.simulator.casting import (
    TROUBLES,
    Casting,
    interrupted,
    starting,
    uploading,
    usual,
    with_limits,
    with_resources,
    with_spec,
    working,
)
from exporter.simulator.life import Billing, Ending, Group, Life, Phase, WarmPool

Shape = Callable[[Casting], tuple[Life, ...]]


def on_demand(cast: Casting) -> tuple[Life, ...]:
    """Return an on-demand job that completes."""
    return (usual(cast, "resnet50"),)


def late_billing(cast: Casting) -> tuple[Life, ...]:
    """Return a job whose bill is late.

    BillableTimeInSeconds appears some seconds after the end and may be corrected upwards, or it appears minutes or
    hours after the end, in some cases without a change of LastModifiedTime.
    """
    first = cast.rng.uniform(5, 20)
    steps = (Billing(first, cast.rng.uniform(0.8, 0.99)), Billing(cast.rng.uniform(first, 60), 1.0))
    billing = cast.rng.choice((steps, steps[1:]))
    own = cast.own_rng("bill")
    late = (Billing(cast.pace * 10 ** own.uniform(2, 4), moves=own.random() < 0.5),)
    return (replace(usual(cast, "late-billing"), billing=own.choice((billing, late))),)


def spot(cast: Casting) -> tuple[Life, ...]:
    """Return a spot job that is interrupted up to three times."""
    rng = cast.rng
    phases: tuple[Phase, ...] = (starting(cast),)
    for _ in range(rng.randint(0, 3)):
        phases += (*working(cast), interrupted(cast), starting(cast))
    phases += (*working(cast), uploading(cast))
    life = replace(
        usual(cast, "spot-bert"),
        phases=phases,
        billable_ratio=round(rng.uniform(0.25, 0.6), 3),
        billing=(Billing(rng.uniform(5, 60)),) if rng.random() < 0.5 else (Billing(),),
    )
    return (_as_spot(life, 259200),)


def spot_waiting(cast: Casting) -> tuple[Life, ...]:
    """Return a spot job that never gets capacity and ends at MaxWaitTimeInSeconds."""
    wait = max(1, math.floor(cast.seconds(1800, 3600)))
    life = replace(
        usual(cast, "spot-waiting"),
        phases=(Phase("Starting", wait, TROUBLES[0], earlier=((0.02, "Launching requested ML instances"),)),),
        ending=Ending("Stopped", "MaxWaitTimeExceeded", "Training job exceeded its maximum wait time"),
        metrics=(),
    )
    return (with_limits(_as_spot(life, wait), MaxRuntimeInSeconds=wait),)


def heterogeneous(cast: Casting) -> tuple[Life, ...]:
    """Return a job on a heterogeneous cluster, in which two groups may have the same instance type."""
    rng = cast.rng
    groups: tuple[Group, ...] = (
        Group("ml.p4d.24xlarge", rng.randint(1, 2), "trainers"),
        Group("ml.c5n.18xlarge", rng.randint(1, 4), "data-loaders"),
    )
    if rng.random() < 0.3:
        groups += (Group("ml.c5n.18xlarge", 1, "evaluators"),)
    return (usual(cast, "hetero-tokenize", groups),)


def preferences(cast: Casting) -> tuple[Life, ...]:
    """Return a job with InstancePreferences. The selected type, which is billed, appears once the job has instances."""
    wishes = [
        {"InstanceType": "ml.g5.12xlarge", "InstanceCount": 1},
        {"InstanceType": "ml.g5.2xlarge", "InstanceCount": 4},
    ]
    chosen = cast.rng.choice(wishes)
    life = usual(cast, "preferring", (Group(str(chosen["InstanceType"]), int(str(chosen["InstanceCount"]))),))
    config = {"VolumeSizeInGB": 100, "InstancePreferences": wishes}
    return (with_spec(replace(life, selected=True), ResourceConfig=config),)


def pool_expired(cast: Casting) -> tuple[Life, ...]:
    """Return a job with a warm pool that is not reused."""
    keep_alive = max(1, math.floor(cast.seconds(600, 3600)))
    pool = WarmPool(keep_alive, appears_after=cast.rng.uniform(0, 5))
    return (_with_pool(usual(cast, "pooled"), pool, keep_alive),)


def pool_reused(cast: Casting) -> tuple[Life, ...]:
    """Return a job with a warm pool, and the job that reuses it, starts quickly and has a warm pool of its own."""
    keep_alive = max(2, math.floor(cast.seconds(900, 3600)))
    first = usual(cast, "iterating")
    taken = round(keep_alive * cast.rng.uniform(0.2, 0.8), 3)
    following = cast.later(first.end + taken)
    second = replace(first, name=usual(following, "iterating").name, created=round(following.created, 3))
    phases = (starting(cast, 3, 10), *second.phases[1:])
    return (
        _with_pool(first, WarmPool(taken, min(1.0, taken), reused_by=second.name), keep_alive),
        _with_pool(replace(second, phases=phases), WarmPool(keep_alive, min(1.0, keep_alive)), keep_alive),
    )


def pool_missing(cast: Casting) -> tuple[Life, ...]:
    """Return a job whose requested warm pool never appears."""
    keep_alive = max(1, math.floor(cast.seconds(300, 900)))
    return (_with_pool(usual(cast, "poolless"), WarmPool(0.0, shows=False), keep_alive),)


def _as_spot(life: Life, wait: int) -> Life:
    return with_limits(with_spec(life, EnableManagedSpotTraining=True), MaxWaitTimeInSeconds=wait)


def _with_pool(life: Life, pool: WarmPool, keep_alive: int) -> Life:
    return with_resources(replace(life, pool=pool), KeepAlivePeriodInSeconds=keep_alive)


SHAPES: Mapping[str, Shape] = MappingProxyType(
    {
        "on_demand": on_demand,
        "late_billing": late_billing,
        "spot": spot,
        "spot_waiting": spot_waiting,
        "heterogeneous": heterogeneous,
        "preferences": preferences,
        "pool_expired": pool_expired,
        "pool_reused": pool_reused,
        "pool_missing": pool_missing,
        "algorithm_error": failing.algorithm_error,
        "client_error": failing.client_error,
        "internal_error": failing.internal_error,
        "capacity_error": failing.capacity_error,
        "odd_failure": failing.odd_failure,
        "retried": failing.retried,
        "stopped": failing.stopped,
        "stopped_early": failing.stopped_early,
        "max_runtime": failing.max_runtime,
        "tuning": extra.tuning,
        "automl": extra.automl,
        "labeling": extra.labeling,
        "experiment": extra.experiment,
        "marketplace": extra.marketplace,
        "training_plan": extra.training_plan,
        "debugged": extra.debugged,
        "serverless": extra.serverless,
        "many_metrics": extra.many_metrics,
        "odd_text": extra.odd_text,
        "strange": extra.strange,
    }
)
