"""Compute the state of a life at a given time, from which all responses about it are built."""

from __future__ import annotations

import math
from typing import NamedTuple

from exporter.simulator.life import Life, Span


class Moment(NamedTuple):
    """The state of a life at `now`: the spans that have begun, and when it ends (infinity if never)."""

    life: Life
    now: float
    begun: tuple[Span, ...]
    end: float

    @property
    def ended(self) -> bool:
        return self.end <= self.now

    @property
    def status(self) -> str:
        """Return the TrainingJobStatus."""
        if self.life.deleted <= self.now:
            return "Deleting"
        if self.ended and self.life.ending:
            return self.life.ending.status
        return self.begun[-1].phase.job_status

    @property
    def secondary_status(self) -> str:
        """Return the SecondaryStatus."""
        if self.ended and self.life.ending:
            return self.life.ending.secondary_status
        return self.begun[-1].phase.status

    @property
    def last_modified(self) -> float:
        """Return the LastModifiedTime: the last change of status or, after the end, of the bill or of a rule."""
        if not self.ended:
            return self.begun[-1].start
        moves = (
            self.life.settles_after,
            *(step.after for step in self.life.billing if step.moves),
            *(rule.after for rule in self.life.rules),
        )
        changes = (round(self.end + after, 3) for after in moves)
        return max((at for at in changes if at <= min(self.now, self.life.deleted)), default=self.end)

    @property
    def training_start(self) -> float | None:
        """Return the TrainingStartTime: when the job first had instances, None if it had none yet."""
        return next((span.start for span in self.begun if span.phase.on_instances), None)

    @property
    def training_end(self) -> float | None:
        """Return the TrainingEndTime; None also for a job that never had instances."""
        return self.end if self.ended and self.training_start is not None else None

    @property
    def training_seconds(self) -> int:
        """Return the whole seconds on instances so far."""
        spent = sum(min(span.end, self.now) - span.start for span in self.begun if span.phase.on_instances)
        return int(round(spent, 3))


def moment(life: Life, now: float) -> Moment:
    """Return the state of `life` at `now`; before its creation, its state at the creation."""
    spans = life.timeline
    begun = tuple(span for span in spans if span.start <= now) or spans[:1]
    return Moment(life, now, begun, spans[-1].end if life.ending else math.inf)
