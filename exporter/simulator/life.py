"""The life of one simulated training job: frozen records that say what happens when.

Nothing here knows the time. What the API answers at some moment is worked out in `answers`, what an exact ledger has
in the end in `truth`; both read these records and nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from exporter.simulator.errors import ApiError


@dataclass(frozen=True, slots=True)
class Phase:
    """One entry of SecondaryStatusTransitions: a secondary status and how many seconds it lasts.

    `message` is its StatusMessage in the end; `earlier` are the ones before, each with the share of the seconds after
    which the next one replaces it. `on_instances`: the seconds count as training time. `job_status` is the
    TrainingJobStatus meanwhile.
    """

    status: str
    seconds: float
    message: str = ""
    on_instances: bool = False
    job_status: str = "InProgress"
    earlier: tuple[tuple[float, str], ...] = ()

    def message_after(self, seconds: float) -> str:
        """The StatusMessage so long after it began."""
        return next((text for share, text in self.earlier if seconds < share * self.seconds), self.message)

    def cut(self, seconds: float) -> Phase:
        """The same, ended after so many seconds: until then its messages are what they were."""
        begun = [(share * self.seconds, text) for share, text in self.earlier if share * self.seconds < seconds]
        earlier = tuple((until / seconds, text) for until, text in begun)
        return replace(self, seconds=seconds, message=self.message_after(seconds), earlier=earlier)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a job ends. `category` is what a reader should make of the failure reason; empty unless it failed."""

    status: str
    secondary_status: str
    message: str
    failure_reason: str = ""
    category: str = ""


COMPLETED = Ending("Completed", "Completed", "Training job completed")
STOPPED = Ending("Stopped", "Stopped", "Training job stopped")
MAX_RUNTIME_EXCEEDED = Ending(
    "Stopped", "MaxRuntimeExceeded", "Training job runtime exceeded MaxRuntimeInSeconds provided"
)


@dataclass(frozen=True, slots=True)
class Group:
    """Instances of one type; `name` is the InstanceGroupName and empty outside heterogeneous clusters."""

    instance_type: str
    count: int
    name: str = ""


@dataclass(frozen=True, slots=True)
class WarmPool:
    """What becomes of the instances after the end; times are seconds after the end.

    The status is missing until `appears_after`, then Available, then from `released_after` on Reused if `reused_by`
    names a job, else Terminated. `shows` is False for a pool that was asked for and never comes.
    """

    released_after: float
    appears_after: float = 0.0
    reused_by: str = ""
    shows: bool = True


@dataclass(frozen=True, slots=True)
class Billing:
    """From `after` seconds after the end on, this share of the final BillableTimeInSeconds is reported, and
    LastModifiedTime `moves` then or does not. Nothing comes after a deletion."""

    after: float = 0.0
    share: float = 1.0
    moves: bool = False


@dataclass(frozen=True, slots=True)
class Metric:
    """An entry of FinalMetricDataList; `age` is how many seconds before the end it was emitted."""

    name: str
    value: float
    age: float = 0.0


@dataclass(frozen=True, slots=True)
class Rule:
    """A debugger or profiler rule: InProgress while the job runs, `meanwhile` until `after` seconds after the end, when
    LastModifiedTime of the job moves, then its `verdict`."""

    kind: str
    name: str
    verdict: str
    details: str = ""
    after: float = 0.0
    meanwhile: str = "InProgress"


@dataclass(frozen=True, slots=True)
class Serverless:
    """What only a serverless job reports: progress, tokens and the model package it leaves."""

    steps_per_epoch: int
    max_epoch: int
    tokens: int
    output_model_package: str = ""


@dataclass(frozen=True, slots=True)
class Life:
    """One job from creation to the end of its warm pool.

    `spec` holds the wire fields that never change. Without an `ending` the last phase lasts for ever.
    `billable_ratio` is BillableTimeInSeconds / TrainingTimeInSeconds, None if no billable time is ever reported.
    `settles_after` is LastModifiedTime less TrainingEndTime, unless a bill or a rule comes later. The API shows the job
    `ahead` seconds before its CreationTime: the clock of the host that created it is ahead by as much.
    """

    name: str
    created: float
    phases: tuple[Phase, ...]
    ending: Ending | None = COMPLETED
    groups: tuple[Group, ...] = ()
    spec: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    account: str = "123456789012"
    region: str = "us-east-1"
    billable_ratio: float | None = 1.0
    billing: tuple[Billing, ...] = (Billing(),)
    pool: WarmPool | None = None
    metrics: tuple[Metric, ...] = ()
    rules: tuple[Rule, ...] = ()
    serverless: Serverless | None = None
    selected: bool = False
    settles_after: float = 13.0
    stopping_seconds: float = 20.0
    seconds_while_running: bool = False
    deleted: float = math.inf
    deleting_seconds: float = 0.0
    ahead: float = 0.0

    @property
    def appears(self) -> float:
        """From when on the API shows it, Unix seconds."""
        return self.created - self.ahead

    @property
    def arn(self) -> str:
        """TrainingJobArn."""
        return f"arn:aws:sagemaker:{self.region}:{self.account}:training-job/{self.name}"

    @property
    def spot(self) -> bool:
        """EnableManagedSpotTraining."""
        return bool(self.spec.get("EnableManagedSpotTraining", False))

    @property
    def end(self) -> float:
        """When it becomes terminal, Unix seconds; infinite if never."""
        return timeline(self)[-1].end if self.ending else math.inf

    @property
    def gone(self) -> float:
        """From when on the API knows nothing of it any more."""
        return self.deleted + self.deleting_seconds


class Span(NamedTuple):
    """A phase with the moments at which it starts and ends, to the millisecond as the API has them."""

    phase: Phase
    start: float
    end: float


def timeline(life: Life) -> tuple[Span, ...]:
    """Every phase in order; each starts when the one before it ends."""
    spans = []
    start = round(life.created, 3)
    for phase in life.phases:
        end = round(start + phase.seconds, 3)
        spans.append(Span(phase, start, end))
        start = end
    if not life.ending:
        spans[-1] = Span(life.phases[-1], spans[-1].start, math.inf)
    return tuple(spans)


def stop(life: Life, now: float) -> Life:
    """The life that follows when StopTrainingJob is called at `now`.

    Raises ApiError if the job has ended or is already stopping.
    """
    spans = [span for span in timeline(life) if span.start <= now]
    current = spans[-1].phase
    status = life.ending.status if life.ending and now >= life.end else current.job_status
    if status != "InProgress":
        raise ApiError(
            "ValidationException", f"The request was rejected because the training job is in status {status}."
        )
    cut = current.cut(max(0.0, round(now - spans[-1].start, 3)))
    stopping = Phase("Stopping", life.stopping_seconds, "Stopping the training job", current.on_instances, "Stopping")
    pool = replace(life.pool, released_after=0.0, reused_by="") if life.pool else None
    done = tuple(span.phase for span in spans[:-1])
    return replace(life, phases=(*done, cut, stopping), ending=STOPPED, pool=pool, metrics=())


def delete(life: Life, now: float) -> Life:
    """The life that follows when DeleteTrainingJob is called at `now`.

    Raises ApiError while the job runs or its warm pool is Available.
    """
    if not life.end <= now < life.deleted:
        raise ApiError("ResourceInUse", "Training job is still in progress and cannot be deleted.")
    if life.pool and life.pool.shows and now < life.end + life.pool.released_after:
        raise ApiError("ResourceInUse", "Training job retains a warm pool and cannot be deleted.")
    return replace(life, deleted=now)
