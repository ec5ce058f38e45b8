"""One training job as the API last described it: a frozen record, nothing of AWS's SDK in it.

A field is None (or empty) where the answer did not say; nothing here turns the unknown into a number.
Times are Unix seconds, durations seconds, as in the API.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from exporter.exposition.family import Pairs

STATUSES = ("InProgress", "Completed", "Failed", "Stopping", "Stopped", "Deleting")
TERMINAL = frozenset({"Completed", "Failed", "Stopped", "Deleting"})
OUTCOMES = ("Completed", "Failed", "Stopped")
SECONDARY_STATUSES = (
    "Starting",
    "LaunchingMLInstances",
    "PreparingTrainingStack",
    "Downloading",
    "DownloadingTrainingImage",
    "Training",
    "Uploading",
    "Stopping",
    "Stopped",
    "MaxRuntimeExceeded",
    "Completed",
    "Failed",
    "Interrupted",
    "MaxWaitTimeExceeded",
    "Updating",
    "Restarting",
    "Pending",
)
# While a job is in one of these it holds no instances, and MaxRuntimeInSeconds does not run.
WITHOUT_INSTANCES = frozenset(
    {"Pending", "Starting", "LaunchingMLInstances", "PreparingTrainingStack", "Interrupted", "MaxWaitTimeExceeded"}
)
WARM_POOL_STATUSES = ("Available", "InUse", "Reused", "Terminated")
# A rule in one of these goes on after its job has ended.
RUNNING_RULES = frozenset({"InProgress", "Stopping"})
FAILURE_CATEGORIES = ("AlgorithmError", "ClientError", "InternalServerError", "CapacityError", "Other")

_OUTCOME_OF_SECONDARY = {
    "Completed": "Completed",
    "Failed": "Failed",
    "Stopped": "Stopped",
    "MaxRuntimeExceeded": "Stopped",
    "MaxWaitTimeExceeded": "Stopped",
}
_KNOWN_SECONDARY = frozenset(SECONDARY_STATUSES)
_CATEGORY = re.compile(r"\s*(?:Insufficient)?(AlgorithmError|ClientError|InternalServerError|CapacityError)\b")


class Instances(NamedTuple):
    """`number` instances of one type; `group` is "" outside heterogeneous clusters."""

    type: str
    group: str
    number: int


class Transition(NamedTuple):
    """One entry of SecondaryStatusTransitions; without `end` it is the current one."""

    status: str
    start: float | None
    end: float | None

    @property
    def seconds(self) -> float | None:
        """How long the phase took; None while it lasts. AWS's clock has milliseconds."""
        if self.start is None or self.end is None or self.end < self.start:
            return None
        return round(self.end - self.start, 3)


class FinalMetric(NamedTuple):
    """One entry of FinalMetricDataList; the value may be NaN or infinite."""

    name: str
    value: float
    timestamp: float | None


class WarmPool(NamedTuple):
    """WarmPoolStatus: what became of the instances after the job."""

    status: str | None
    retained_seconds: float | None
    reused_by: str | None


class Rule(NamedTuple):
    """What a debugger or profiler rule found (RuleEvaluationStatus)."""

    kind: str
    name: str
    status: str


class Progress(NamedTuple):
    """ProgressInfo of a serverless job."""

    epoch: float | None = None
    max_epoch: float | None = None
    step: float | None = None
    steps_per_epoch: float | None = None


class Serverless(NamedTuple):
    """ServerlessJobConfig of a job that has no instances of its own: what it does to which model."""

    job_type: str = ""
    customization_technique: str = ""
    base_model: str = ""


class Identity(NamedTuple):
    """What makes a job itself: a name may be used again once its job was deleted."""

    account: str
    region: str
    name: str
    created_ms: int

    def is_same(self, other: Identity) -> bool:
        """Whether both mean one job. Its CreationTime may differ by some milliseconds from one operation to another;
        no job is created, ended, deleted and created anew within a second."""
        return self[:3] == other[:3] and abs(self.created_ms - other.created_ms) <= SAME_JOB_MS


NO_PROGRESS = Progress()
# How far the creation times of one job may be apart: less than a second, also where one of them has no parts of it.
SAME_JOB_MS = 999
NO_SERVERLESS = Serverless()


@dataclass(frozen=True, slots=True, kw_only=True, weakref_slot=True)
class TrainingJob:
    """Everything the exporter keeps of a job. Only what an allowlist named is kept of tags, hyperparameters
    and the failure reason, and of a status message its kind (`waiting`), so that nothing else can leave the process."""

    account: str
    region: str
    name: str
    arn: str = ""
    status: str | None = None
    secondary_status: str | None = None
    waiting: str = ""
    created: float | None = None
    started: float | None = None
    ended: float | None = None
    modified: float | None = None
    training_seconds: float | None = None
    billable_seconds: float | None = None
    billable_tokens: float | None = None
    spot: bool | None = None
    instances: tuple[Instances, ...] = ()
    transitions: tuple[Transition, ...] = ()
    final_metrics: tuple[FinalMetric, ...] = ()
    warm_pool: WarmPool | None = None
    rules: tuple[Rule, ...] = ()
    progress: Progress = NO_PROGRESS
    serverless: Serverless = NO_SERVERLESS
    training_image: str = ""
    algorithm_name: str = ""
    input_mode: str = ""
    tuning_job: str = ""
    automl_job: str = ""
    labeling_job: str = ""
    experiment: str = ""
    trial: str = ""
    training_plan: str = ""
    network_isolation: bool | None = None
    inter_container_encryption: bool | None = None
    vpc: bool | None = None
    volume_kms: bool | None = None
    output_kms: bool | None = None
    volume_gib: float | None = None
    keep_alive_seconds: float | None = None
    max_runtime_seconds: float | None = None
    max_wait_seconds: float | None = None
    max_pending_seconds: float | None = None
    retry_max_attempts: float | None = None
    failure_category: str | None = None
    failure_detail: str = "other"
    failure_reason: str = ""
    hyperparameters: Pairs | None = None
    tags: Pairs | None = None
    cost_tags: Pairs | None = ()

    @property
    def identity(self) -> Identity:
        created_ms = round(self.created * 1000) if self.created is not None else 0
        return Identity(self.account, self.region, self.name, created_ms)

    @property
    def terminal(self) -> bool:
        """It will not run again; its bill and its warm pool may still move."""
        return self.status in TERMINAL

    @property
    def unbilled(self) -> bool:
        """It trained on instances and ended, and AWS does not say yet how much of that it bills. A serverless job has
        no instances and is billed by tokens."""
        trained = self.started is not None or self.training_seconds is not None
        return self.terminal and trained and bool(self.instances) and self.billable_seconds is None

    @property
    def evaluated(self) -> bool:
        """None of its debugger and profiler rules still runs."""
        return not any(rule.status in RUNNING_RULES for rule in self.rules)

    @property
    def outcome(self) -> str | None:
        """How it ended, also for a job that is being deleted; None while it runs or when nobody can know."""
        outcome = outcome_of(self.status, self.secondary_status, self.transitions)
        return outcome or ("Failed" if self.failure_category and self.terminal else None)

    @property
    def ended_at(self) -> float | None:
        """When it ended. A job that failed early has no TrainingEndTime, but its last transition knows; where nobody
        knows its last status, that is the last transition with an end."""
        if not self.terminal or self.ended is not None:
            return self.ended
        last = self.transitions[-1] if self.transitions else None
        if last and last.status in _OUTCOME_OF_SECONDARY:
            return last.end if last.end is not None else last.start
        if last and {self.secondary_status or last.status, last.status} <= _KNOWN_SECONDARY:
            return None
        return next((t.end for t in reversed(self.transitions) if t.end is not None), None)

    @property
    def over_since(self) -> float | None:
        """The latest moment a terminal job can have ended, where nothing says it exactly; None while it runs."""
        if not self.terminal:
            return None
        return next((t for t in (self.ended_at, self.modified, self.created) if t is not None), None)

    @property
    def last_change(self) -> float:
        """The latest time the answer speaks of; 0 where it speaks of none."""
        return max((t for t in (self.ended_at, self.modified, self.created) if t is not None), default=0.0)

    @property
    def secondary_status_since(self) -> float | None:
        """When the current secondary status began (StartTime of its transition)."""
        for transition in reversed(self.transitions):
            if transition.status == self.secondary_status:
                return transition.start
        return None

    @property
    def interruptions(self) -> int:
        """How often spot capacity was taken away."""
        return sum(t.status == "Interrupted" for t in self.transitions)


def outcome_of(status: str | None, secondary: str | None, transitions: tuple[Transition, ...]) -> str | None:
    """Return the final status of a job; of one that is being deleted the one that its secondary statuses tell."""
    if status in OUTCOMES:
        return status
    if status != "Deleting":
        return None
    seen = [secondary, *(t.status for t in reversed(transitions))]
    found = next((_OUTCOME_OF_SECONDARY[s] for s in seen if s in _OUTCOME_OF_SECONDARY), None)
    # A job that was stopping ends as Stopped, whatever its last status is called.
    return found or ("Stopped" if "Stopping" in seen else None)


def failure_category(reason: str) -> str:
    """The bounded kind of a FailureReason, which begins with it ("AlgorithmError: ...")."""
    match = _CATEGORY.match(reason)
    return match.group(1) if match else "Other"
