"""Defines the data of the status page, which the application collects and the page only formats.

Times are in Unix seconds, durations in seconds. What is unknown is None or missing, never 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from exporter.cloudwatch.families import AlgorithmMetrics, Utilization
from exporter.quotas.applied import Quotas
from exporter.training.active import UNKNOWN, ActiveCounts
from exporter.training.cost import NO_RATES, Rates
from exporter.training.job import TrainingJob

DAY = 86400.0


@dataclass(frozen=True, slots=True)
class ShownJob:
    """A tracked job. It is settled once no further change is expected; `rates` are the prices kept with it.
    `utilization` and `algorithm` are its samples from CloudWatch, as far as there are any now."""

    job: TrainingJob
    settled: bool = False
    rates: Rates = field(default_factory=lambda: NO_RATES)
    utilization: Utilization | None = None
    algorithm: AlgorithmMetrics = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StateRow:
    """How the totals are kept: in a file, or in a database that replicas share. Neither is named."""

    last_write: float | None = None
    errors: int = 0
    shared: bool = False


@dataclass(frozen=True, slots=True)
class ErrorRow:
    """The last error of an operation with one code, and how many requests it was the answer to: 0 if it is no answer
    of AWS. The message holds no secrets."""

    operation: str
    code: str
    message: str
    when: float
    count: int


@dataclass(frozen=True, slots=True)
class Spent:
    """The cost of a target's jobs so far by currency, since when, and the billed instance seconds without a price."""

    by_currency: Mapping[str, float] = field(default_factory=dict)
    since: float | None = None
    unpriced_instance_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class TargetRow:
    """The health of a target. `up` is None until it was polled once. `counts` are what its jobs hold now, as in
    `/metrics`; `spent` is None without prices, `quotas` while they are unknown."""

    account_id: str
    region: str
    up: bool | None = None
    last_attempt: float | None = None
    last_success: float | None = None
    poll_seconds: float | None = None
    jobs_active: int = 0
    jobs_tracked: int = 0
    first_sync: str | None = None
    """The progress of the first sync as text; None once it is complete."""
    next_discovery: float | None = None
    errors: tuple[ErrorRow, ...] = ()
    sources: Mapping[str, bool] = field(default_factory=dict)
    """Whether the last read of each further source succeeded, such as prices; none that is off or was not read yet."""
    counts: ActiveCounts = UNKNOWN
    spent: Spent | None = None
    failed: Mapping[str, int] = field(default_factory=dict)
    """How many jobs failed within `Status.failed_within`, by failure category; "" if only a listing has them."""
    quotas: Quotas | None = None
    elsewhere: bool = False
    """Whether another replica polls the target: then nothing else is known of it here."""

    @property
    def known(self) -> bool:
        """Return whether each of its jobs was read once."""
        return self.up is not None and self.first_sync is None and not self.elsewhere


@dataclass(frozen=True, slots=True)
class Status:
    """The data of the page."""

    version: str
    started: float
    now: float
    ready: bool
    targets: tuple[TargetRow, ...]
    jobs: Sequence[ShownJob]
    strategy: str = "describe"
    shard: str = ""
    """Such as `1 of 3`; empty without sharding."""
    state: StateRow | None = None
    """None if totals are kept in memory only."""
    config_loaded: float | None = None
    config_ok: bool = True
    telemetry_path: str = "/metrics"
    root: str = ""
    """The prefix of links to the endpoints: "" for links relative to the page, or an absolute path."""
    owner_tag: str = ""
    """The key of the allowed tag that names the owner of a job, such as `team`; "" if no tag is allowed."""
    measures_gpus: bool = False
    """Whether the utilization of GPUs is read."""
    failed_within: float = DAY
    """How far back `TargetRow.failed` goes."""

    cut_off: bool = False
    """Whether the database that replicas share is out of reach, so that this process holds no target."""

    @property
    def own(self) -> tuple[TargetRow, ...]:
        """Return the targets that this process polls."""
        return tuple(target for target in self.targets if not target.elsewhere)

    @property
    def known(self) -> bool:
        """Return whether each job of its targets was read once: what was not found until then is unknown."""
        return all(target.known for target in self.own) and (bool(self.own) or not self.targets)


@dataclass(frozen=True, slots=True)
class JobStatus:
    """The data of the page of one job, which is None if no such job is tracked."""

    version: str
    now: float
    account: str
    region: str
    name: str
    found: ShownJob | None
    root: str = ""
    elsewhere: bool = False
    """Whether another replica polls the target, so that this one knows none of its jobs."""
