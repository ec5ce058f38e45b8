"""Describe the life of a simulated training job: immutable records of what happens when.

Nothing here knows the current time. `answers` computes the responses of the API at a given time, and `truth` what an
exact ledger must count in the end; both read only these records, so that each can check the other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

from exporter.simulator.errors import ApiError


@dataclass(frozen=True, slots=True)
class Phase:
    """One entry of SecondaryStatusTransitions: a secondary status and how many seconds it lasts.

    `message` is its last StatusMessage. `earlier` are the messages before, each with the share of `seconds` at which it
    is replaced. With `on_instances` the seconds count as training time. `job_status` is the TrainingJobStatus during
    the phase.
    """

    status: str
    seconds: float
    message: str = ""
    on_instances: bool = False
    job_status: str = "InProgress"
    earlier: tuple[tuple[float, str], ...] = ()

    def message_after(self, seconds: float) -> str:
        """Return the StatusMessage this many seconds after the phase began."""
        return next((text for share, text in self.earlier if seconds < share * self.seconds), self.message)

    def cut(self, seconds: float) -> Phase:
        """Return the phase, ended after this many seconds. Until then its messages are the same as before."""
        begun = [(share * self.seconds, text) for share, text in self.earlier if share * self.seconds < seconds]
        earlier = tuple((until / seconds, text) for until, text in begun)
        return replace(self, seconds=seconds, message=self.message_after(seconds), earlier=earlier)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a job ends. `category` is what its FailureReason should be parsed as, empty unless the job failed."""

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
    """Instances of one type. `name` is the InstanceGroupName, empty outside heterogeneous clusters."""

    instance_type: str
    count: int
    name: str = ""


@dataclass(frozen=True, slots=True)
class WarmPool:
    """What happens to the instances after the end of the job. Times are seconds after the end.

    WarmPoolStatus is missing until `appears_after`, then Available, and from `released_after` on Reused if `reused_by`
    names a job, else Terminated. `shows` is False for a warm pool that was requested but never appears.
    """

    released_after: float
    appears_after: float = 0.0
    reused_by: str = ""
    shows: bool = True


@dataclass(frozen=True, slots=True)
class Billing:
    """A step of the bill: `after` seconds after the end, this share of the final BillableTimeInSeconds is reported.

    `moves` says whether LastModifiedTime changes with it: with AWS it may not. Nothing is reported after a deletion.
    """

    after: float = 0.0
    share: float = 1.0
    moves: bool = False


@dataclass(frozen=True, slots=True)
class Metric:
    """An entry of FinalMetricDataList, emitted `age` seconds before the end."""

    name: str
    value: float
    age: float = 0.0


@dataclass(frozen=True, slots=True)
class Rule:
    """A debugger or profiler rule.

    Its status is InProgress while the job runs, then `meanwhile`, and from `after` seconds after the end its `verdict`.
    The LastModifiedTime of the job changes with the verdict.
    """

    kind: str
    name: str
    verdict: str
    details: str = ""
    after: float = 0.0
    meanwhile: str = "InProgress"


@dataclass(frozen=True, slots=True)
class Serverless:
    """What only a serverless job reports: its progress, billed tokens, and the model package that it creates."""

    steps_per_epoch: int
    max_epoch: int
    tokens: int
    output_model_package: str = ""


class Span(NamedTuple):
    """A phase with its start and end (Unix seconds), rounded to milliseconds as in the API."""

    phase: Phase
    start: float
    end: float


# It has no slots, so that its timeline can be cached: every response needs it.
@dataclass(frozen=True)
class Life:
    """A job from its creation to the end of its warm pool.

    `spec` holds the wire fields that never change. Without an `ending` the last phase lasts for ever.
    `billable_ratio` is BillableTimeInSeconds / TrainingTimeInSeconds, None if no billable time is ever reported.
    `settles_after` is LastModifiedTime minus TrainingEndTime, unless a bill or a rule comes later. The API shows the
    job `ahead` seconds before its CreationTime, as if the clock of the host that created it were ahead by that much.
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

    @cached_property
    def timeline(self) -> tuple[Span, ...]:
        """Return all phases in order. Each starts when the one before it ends."""
        spans = []
        start = round(self.created, 3)
        for phase in self.phases:
            end = round(start + phase.seconds, 3)
            spans.append(Span(phase, start, end))
            start = end
        if not self.ending:
            spans[-1] = Span(self.phases[-1], spans[-1].start, math.inf)
        return tuple(spans)

    @property
    def appears(self) -> float:
        """Return when the API starts to show the job (Unix seconds)."""
        return self.created - self.ahead

    @property
    def arn(self) -> str:
        """Return the TrainingJobArn."""
        return f"arn:aws:sagemaker:{self.region}:{self.account}:training-job/{self.name}"

    @property
    def spot(self) -> bool:
        """Return EnableManagedSpotTraining."""
        return bool(self.spec.get("EnableManagedSpotTraining", False))

    @property
    def end(self) -> float:
        """Return when the job becomes terminal (Unix seconds), infinity if never."""
        return self.timeline[-1].end if self.ending else math.inf

    @property
    def gone(self) -> float:
        """Return when the API stops to show the job after its deletion (Unix seconds)."""
        return self.deleted + self.deleting_seconds


def stop(life: Life, now: float) -> Life:
    """Return the life after a call of StopTrainingJob at `now`.

    Raises ApiError if the job has ended or is already stopping.
    """
    spans = [span for span in life.timeline if span.start <= now]
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
    """Return the life after a call of DeleteTrainingJob at `now`.

    Raises ApiError while the job runs or its warm pool is Available.
    """
    if not life.end <= now < life.deleted:
        raise ApiError("ResourceInUse", "Training job is still in progress and cannot be deleted.")
    if life.pool and life.pool.shows and now < life.end + life.pool.released_after:
        raise ApiError("ResourceInUse", "Training job retains a warm pool and cannot be deleted.")
    return replace(life, deleted=now)
