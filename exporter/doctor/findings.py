"""The records that a report is made of. None of them holds a value of an AWS response."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import NamedTuple

from exporter.doctor.assumptions import Tally
from exporter.doctor.conformity import Deviation


class Failure(NamedTuple):
    """A failure: the operation that failed, its code, what to do, and whether a policy denied it. It can be another
    operation than was asked, such as AssumeRole before it."""

    operation: str
    code: str
    advice: str
    denied: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """How one operation went in one target.

    `done` counts the calls that succeeded and `failures` those that did not; `untried` says why there was none. `found`
    sums up what was returned. `seconds` are the durations of the requests, retries included, of which `throttled` were
    refused as too many.
    """

    operation: str
    wanted: bool
    done: int = 0
    failures: Mapping[Failure, int] = field(default_factory=dict)
    untried: str = ""
    found: str = ""
    seconds: tuple[float, ...] = ()
    throttled: int = 0

    @property
    def missing(self) -> bool:
        """Return whether the configuration needs the operation and it failed, if only for some jobs."""
        return self.wanted and bool(self.failures)

    @property
    def milliseconds(self) -> int | None:
        """Return the median duration of a request."""
        return round(median(self.seconds) * 1000) if self.seconds else None


@dataclass(frozen=True, slots=True)
class Section:
    """What one target answered, or the exporter's own credentials where no target is concerned.

    `ahead` is by how many seconds AWS's clock is ahead of this machine's, None if no response said it. `checked` counts
    the responses that were compared with AWS's model, and `deviations` those that differ from it. `strange` is the
    number of jobs with a status that this version does not know; `lacking` are the statuses in AWS's model that it does
    not know. `changes` counts ended jobs by how long after their end LastModifiedTime is; `unbilled` of them wait for
    their bill.
    """

    title: str
    readings: tuple[Reading, ...]
    ahead: float | None = None
    seconds: float = 0.0
    checked: Mapping[str, int] = field(default_factory=dict)
    deviations: Mapping[tuple[str, Deviation], int] = field(default_factory=dict)
    strange: int = 0
    lacking: frozenset[str] = frozenset()
    tallies: tuple[Tally, ...] = ()
    changes: Mapping[str, int] = field(default_factory=dict)
    unbilled: int = 0


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything that was found: versions, the settings that decide what is needed, the place of the totals, and a
    section for each target."""

    versions: str
    settings: str
    state: Reading
    sections: tuple[Section, ...]

    @property
    def complete(self) -> bool:
        """Return whether everything that the configuration needs is there."""
        readings = [self.state, *(reading for section in self.sections for reading in section.readings)]
        return not any(reading.missing for reading in readings)
