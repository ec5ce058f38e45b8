"""Define the record of one training job as the API last described it, independent of the AWS SDK.

A field that the response lacks is None or empty; an unknown value never becomes a number. Times are Unix seconds and
durations are seconds, as in the API.
"""

from __future__ import annotations

from collections.abc import Iterable
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
# In these secondary statuses a job holds no instances, and MaxRuntimeInSeconds does not advance.
WITHOUT_INSTANCES = frozenset(
    {"Pending", "Starting", "LaunchingMLInstances", "PreparingTrainingStack", "Interrupted", "MaxWaitTimeExceeded"}
)
WARM_POOL_STATUSES = ("Available", "InUse", "Reused", "Terminated")
# A rule with one of these statuses keeps running after its job has ended.
RUNNING_RULES = frozenset({"InProgress", "Stopping"})

_OUTCOME_OF_SECONDARY = {
    "Completed": "Completed",
    "Failed": "Failed",
    "Stopped": "Stopped",
    "MaxRuntimeExceeded": "Stopped",
    "MaxWaitTimeExceeded": "Stopped",
}
_KNOWN_SECONDARY = frozenset(SECONDARY_STATUSES)


class Instances(NamedTuple):
    """A number of instances of one type (ResourceConfig). `group` is "" outside heterogeneous clusters."""

    type: str
    group: str
    number: int


class Transition(NamedTuple):
    """One entry of SecondaryStatusTransitions. `end` is None for the current status. `message` is its StatusMessage as
    far as the allowlist permits."""

    status: str
    start: float | None
    end: float | None
    message: str = ""

    @property
    def seconds(self) -> float | None:
        """Return how long the phase took, to the millisecond as in the API; None while it lasts."""
        if self.start is None or self.end is None or self.end < self.start:
            return None
        return round(self.end - self.start, 3)


def seconds_of(transitions: Iterable[Transition]) -> float | None:
    """Return how long these phases took together, None if that is unknown of any."""
    each = [transition.seconds for transition in transitions]
    known = [seconds for seconds in each if seconds is not None]
    return sum(known) if len(known) == len(each) else None


class FinalMetric(NamedTuple):
    """One entry of FinalMetricDataList. The value may be NaN or infinite."""

    name: str
    value: float
    timestamp: float | None


class WarmPool(NamedTuple):
    """WarmPoolStatus: the state of the instances that are kept after the job.

    `retained_seconds` is ResourceRetainedBillableTimeInSeconds, per instance.
    """

    status: str | None
    retained_seconds: float | None
    reused_by: str | None


class Rule(NamedTuple):
    """One entry of DebugRuleEvaluationStatuses or ProfilerRuleEvaluationStatuses, with its RuleEvaluationStatus."""

    kind: str
    name: str
    status: str


class Progress(NamedTuple):
    """ProgressInfo of a serverless job: CurrentEpoch, MaxEpoch, CurrentStep and TotalStepCountPerEpoch."""

    epoch: float | None = None
    max_epoch: float | None = None
    step: float | None = None
    steps_per_epoch: float | None = None


class Serverless(NamedTuple):
    """ServerlessJobConfig of a job without instances of its own: JobType, CustomizationTechnique, BaseModelArn."""

    job_type: str = ""
    customization_technique: str = ""
    base_model: str = ""


class Identity(NamedTuple):
    """Identify a job. The creation time is part of it, because a name may be used again after a deletion."""

    account: str
    region: str
    name: str
    created_ms: int

    def is_same(self, other: Identity) -> bool:
        """Return whether both identify the same job.

        The CreationTime of one job can differ by some milliseconds between operations. A tolerance of less than a
        second is safe: no job can be created, end, be deleted and be created again within a second.
        """
        return self[:3] == other[:3] and abs(self.created_ms - other.created_ms) <= SAME_JOB_MS


NO_PROGRESS = Progress()
# The largest difference between two creation times of the same job: one of them may be cut to whole seconds.
SAME_JOB_MS = 999
NO_SERVERLESS = Serverless()


@dataclass(frozen=True, slots=True, kw_only=True, weakref_slot=True)
class TrainingJob:
    """Hold everything the exporter keeps of a job.

    Tags, hyperparameters, the failure reason and status messages are kept only as far as the allowlist names them, and
    otherwise of a status message only its kind (`waiting`): what is not kept cannot leave the process.
    """

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
    metric_names: tuple[str, ...] = ()
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
        """Return whether the job will not run again. Its bill and its warm pool may still change."""
        return self.status in TERMINAL

    @property
    def unbilled(self) -> bool:
        """Return whether the job trained on instances and ended, but has no BillableTimeInSeconds yet.

        Serverless jobs are never unbilled in this sense: they have no instances and are billed by tokens.
        """
        trained = self.started is not None or self.training_seconds is not None
        return self.terminal and trained and bool(self.instances) and self.billable_seconds is None

    @property
    def evaluated(self) -> bool:
        """Return whether none of the job's debugger and profiler rules is still running."""
        return not any(rule.status in RUNNING_RULES for rule in self.rules)

    @property
    def outcome(self) -> str | None:
        """Return how the job ended, one of OUTCOMES, also while it is being deleted; None if it runs or is unknown."""
        outcome = outcome_of(self.status, self.secondary_status, self.transitions)
        return outcome or ("Failed" if self.failure_category and self.terminal else None)

    @property
    def ended_at(self) -> float | None:
        """Return when the job ended (Unix seconds), None if unknown.

        A job that failed early has no TrainingEndTime; then the time of its last transition is used. If the last status
        is not known to this version, the end of the last transition that has one is used.
        """
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
        """Return when a terminal job ended, or the latest time it can have ended; None while it runs."""
        if not self.terminal:
            return None
        return next((t for t in (self.ended_at, self.modified, self.created) if t is not None), None)

    @property
    def last_change(self) -> float:
        """Return the end, modification or creation time, whichever is latest; 0 if none is known."""
        return max((t for t in (self.ended_at, self.modified, self.created) if t is not None), default=0.0)

    @property
    def secondary_status_since(self) -> float | None:
        """Return the StartTime of the transition to the current secondary status."""
        for transition in reversed(self.transitions):
            if transition.status == self.secondary_status:
                return transition.start
        return None

    @property
    def interruptions(self) -> int:
        """Return the number of spot interruptions."""
        return sum(t.status == "Interrupted" for t in self.transitions)


def outcome_of(status: str | None, secondary: str | None, transitions: tuple[Transition, ...]) -> str | None:
    """Return the final status of a job. TrainingJobStatus hides it while the job is Deleting; then the secondary
    statuses decide."""
    if status in OUTCOMES:
        return status
    if status != "Deleting":
        return None
    seen = [secondary, *(t.status for t in reversed(transitions))]
    found = next((_OUTCOME_OF_SECONDARY[s] for s in seen if s in _OUTCOME_OF_SECONDARY), None)
    # A job that was stopping ends as Stopped, whatever its last status is called.
    return found or ("Stopped" if "Stopping" in seen else None)
