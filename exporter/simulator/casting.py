"""Provide what job shapes are built from: the parameters of a job, its usual phases, and a usual life."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from exporter.simulator import request
from exporter.simulator.life import COMPLETED, Ending, Group, Life, Metric, Phase
from exporter.simulator.rng import seeded

# Average duration of a job at pace 1 in seconds, measured over all shapes; exact enough to plan a fleet.
USUAL_SECONDS = 3200.0


@dataclass(frozen=True, slots=True)
class Casting:
    """The parameters of a job: its random numbers, creation time (Unix seconds), account and region.

    Every duration is multiplied by `pace`. `serial` is the number of the job in its fleet. `about` can hold a `suffix`
    for the job's name.
    """

    rng: random.Random
    created: float
    account: str = "123456789012"
    region: str = "us-east-1"
    pace: float = 1.0
    serial: int = 0
    about: Mapping[str, str] = field(default_factory=dict)

    def seconds(self, low: float, high: float) -> float:
        """Return a random duration, between `low` and `high` seconds at pace 1."""
        return round(self.rng.uniform(low, high) * self.pace, 3)

    def own_rng(self, what: str) -> random.Random:
        """Return random numbers for one purpose, without drawing from `rng`: a new feature that uses them leaves all
        other random choices of a seed unchanged."""
        return seeded(what, self.rng.getstate())

    def arn(self, kind: str, name: str) -> str:
        """Return the ARN of another SageMaker resource in the same account and region."""
        return f"arn:aws:sagemaker:{self.region}:{self.account}:{kind}/{name}"

    def later(self, created: float) -> Casting:
        """Return the parameters of a second job of the same shape, created at `created`."""
        return replace(self, created=created, about={**self.about, "suffix": "b"})


# Status messages of problems while instances are launched. The last one is made up: the exporter must cope with it.
TROUBLES = (
    "Insufficient capacity error from EC2 while launching instances, retrying!",
    "Launched instance was unhealthy, replacing it!",
    "Moving the instances to another placement group",
)
PREPARING = "Preparing the instances for training"


def starting(cast: Casting, low: float = 60.0, high: float = 240.0) -> Phase:
    """Return the phase Starting, at times with the message of a problem with the instances."""
    own = cast.own_rng("starting")
    launched = (0.1, "Starting the training job"), (0.4, "Launching requested ML instances")
    trouble = ((0.8, own.choice(TROUBLES)),) if own.random() < 0.4 else ()
    return Phase("Starting", cast.seconds(low, high), PREPARING, earlier=(*launched, *trouble))


def pending(cast: Casting) -> Phase:
    """Return the phase Pending, in which a job waits for capacity."""
    return _pending(cast.seconds(600, 1800))


def queued(first: Phase) -> tuple[Phase, ...]:
    """Return phases as long as `first`, most of it spent in Pending."""
    seconds = round(first.seconds / 10, 3)
    return replace(first.cut(seconds), message="Starting the training job"), _pending(first.seconds - seconds)


def _pending(seconds: float) -> Phase:
    return Phase("Pending", round(seconds, 3), PREPARING, earlier=((0.8, "Training job waiting for capacity"),))


def working(cast: Casting) -> tuple[Phase, ...]:
    """Return the phases Downloading and Training."""
    # Long enough to be billed at the pace of the demo too: less than a second has no bill.
    download = max(cast.seconds(20, 180), 30 * cast.pace)
    return (
        Phase(
            "Downloading",
            download,
            "Downloading the training image",
            on_instances=True,
            earlier=((0.5, "Downloading input data"),),
        ),
        Phase(
            "Training",
            cast.seconds(900, 4500),
            "Training image download completed. Training in progress.",
            on_instances=True,
        ),
    )


def uploading(cast: Casting) -> Phase:
    """Return the phase Uploading, in which the model is saved."""
    return Phase("Uploading", cast.seconds(10, 60), "Uploading generated training model", on_instances=True)


def interrupted(cast: Casting) -> Phase:
    """Return the phase Interrupted, after spot capacity was taken away."""
    return Phase("Interrupted", cast.seconds(60, 600), "Training job interrupted")


def failed(reason: str, category: str) -> Ending:
    """Return the ending of a job that failed with this FailureReason; `category` is what it should be parsed as."""
    return Ending("Failed", "Failed", "Training job failed", reason, category)


def usual(cast: Casting, stem: str, groups: tuple[Group, ...] | None = None) -> Life:
    """An on-demand job that completes, with tags, metrics and some extras."""
    rng = cast.rng
    if groups is None:
        groups = (Group(rng.choice(request.INSTANCE_TYPES), rng.choice((1, 1, 1, 2, 4))),)
    spec = request.plain(rng, cast.account, cast.region, groups)
    return Life(
        name=_name(cast, stem),
        created=round(cast.created, 3),
        phases=(starting(cast), *working(cast), uploading(cast)),
        ending=COMPLETED,
        groups=groups,
        spec=request.with_extras(rng, cast.account, cast.region, spec),
        tags=request.tags(rng),
        account=cast.account,
        region=cast.region,
        metrics=(
            Metric("train:loss", round(rng.uniform(0.01, 2), 4), cast.seconds(5, 60)),
            Metric("validation:accuracy", round(rng.uniform(0.5, 1), 4), cast.seconds(5, 60)),
        ),
        settles_after=round(rng.uniform(13, 30), 3),
        stopping_seconds=cast.seconds(120, 360),
    )


def with_spec(life: Life, **fields: Any) -> Life:
    """Return the life with these wire fields set or replaced."""
    return replace(life, spec={**life.spec, **fields})


def with_resources(life: Life, **fields: Any) -> Life:
    """Return the life with these members of ResourceConfig set or replaced."""
    return with_spec(life, ResourceConfig={**life.spec["ResourceConfig"], **fields})


def with_limits(life: Life, **fields: int) -> Life:
    """Return the life with these members of StoppingCondition set or replaced."""
    return with_spec(life, StoppingCondition={**life.spec["StoppingCondition"], **fields})


def _name(cast: Casting, stem: str) -> str:
    moment = time.strftime("%Y-%m-%d-%H-%M-%S", time.gmtime(cast.created))
    return f"{stem}-{moment}-{cast.serial:04d}{cast.about.get('suffix', '')}"
