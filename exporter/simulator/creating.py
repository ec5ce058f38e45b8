"""Implement CreateTrainingJob: validate the request, and start a life from it."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Any

from exporter.simulator.casting import Casting, interrupted, starting, uploading, working
from exporter.simulator.errors import ApiError
from exporter.simulator.life import MAX_RUNTIME_EXCEEDED, Life, Phase, Serverless, WarmPool
from exporter.simulator.paging import constraint
from exporter.simulator.request import groups_of

Wire = dict[str, Any]

NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
REQUIRED = ("TrainingJobName", "RoleArn", "OutputDataConfig", "StoppingCondition")
NOT_IN_DESCRIBE = ("TrainingJobName", "Tags", "SessionChainingConfig")


def born(request: Wire, cast: Casting) -> Life:
    """Return the life that a CreateTrainingJob request starts. Raises ApiError if a required member is missing."""
    _check(request)
    config = request.get("ResourceConfig")
    spec = {name: value for name, value in request.items() if name not in NOT_IN_DESCRIBE}
    life = Life(
        name=request["TrainingJobName"],
        created=round(cast.created, 3),
        phases=_phases(request, cast),
        groups=groups_of(config) if config else (),
        spec=spec,
        tags={tag["Key"]: tag["Value"] for tag in request.get("Tags", ())},
        account=cast.account,
        region=cast.region,
        selected=bool(config and config.get("InstancePreferences")),
        settles_after=round(cast.rng.uniform(13, 30), 3),
        stopping_seconds=cast.seconds(120, 360),
    )
    if life.spot:
        life = replace(life, billable_ratio=round(cast.rng.uniform(0.25, 0.6), 3))
    if keep_alive := (config or {}).get("KeepAlivePeriodInSeconds"):
        life = replace(life, pool=WarmPool(keep_alive, appears_after=min(2.0, keep_alive)))
    if not config:
        life = replace(life, billable_ratio=None, serverless=Serverless(100, 3, cast.rng.randint(10**5, 10**8)))
    return _limited(life, request["StoppingCondition"].get("MaxRuntimeInSeconds", math.inf))


def _check(request: Wire) -> None:
    for member in REQUIRED:
        if member not in request:
            raise constraint("null", member[0].lower() + member[1:], "Member must not be null")
    name = request["TrainingJobName"]
    if not NAME.fullmatch(name):
        raise constraint(name, "trainingJobName", f"Member must satisfy regular expression pattern: {NAME.pattern}")
    if "ServerlessJobConfig" in request:
        return
    config = request.get("ResourceConfig", {})
    if not any(member in config for member in ("InstanceType", "InstanceGroups", "InstancePreferences")):
        raise ApiError("ValidationException", "ResourceConfig must name instances, groups or preferences.")
    if request.get("EnableManagedSpotTraining") and "MaxWaitTimeInSeconds" not in request["StoppingCondition"]:
        raise ApiError("ValidationException", "MaxWaitTimeInSeconds must be set for managed spot training.")


def _phases(request: Wire, cast: Casting) -> tuple[Phase, ...]:
    phases: tuple[Phase, ...] = (starting(cast),)
    if request.get("EnableManagedSpotTraining"):
        for _ in range(cast.rng.randint(0, 2)):
            phases += (*working(cast), interrupted(cast), starting(cast))
    return (*phases, *working(cast), uploading(cast))


def _limited(life: Life, limit: float) -> Life:
    """Return the life, cut off where it exceeds MaxRuntimeInSeconds, which counts time on instances only."""
    kept: list[Phase] = []
    for phase in life.phases:
        left = limit - sum(done.seconds for done in kept if done.on_instances)
        if phase.on_instances and phase.seconds > left:
            return replace(life, phases=(*kept, phase.cut(left)), ending=MAX_RUNTIME_EXCEEDED, metrics=())
        kept.append(phase)
    return life
