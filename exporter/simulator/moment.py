"""Where a life stands at a moment: what every kind of answer about it is made of."""

from __future__ import annotations

import math
from typing import NamedTuple

from exporter.simulator.life import Life, Span, timeline


class Moment(NamedTuple):
    """Where a life stands: the spans that have begun, and when it ended (infinite while it runs)."""

    life: Life
    now: float
    begun: tuple[Span, ...]
    end: float

    @property
    def ended(self) -> bool:
        return self.end <= self.now

    @property
    def status(self) -> str:
        """TrainingJobStatus."""
        if self.life.deleted <= self.now:
            return "Deleting"
        if self.ended and self.life.ending:
            return self.life.ending.status
        return self.begun[-1].phase.job_status

    @property
    def secondary_status(self) -> str:
        """SecondaryStatus."""
        if self.ended and self.life.ending:
            return self.life.ending.secondary_status
        return self.begun[-1].phase.status

    @property
    def last_modified(self) -> float:
        """LastModifiedTime: the last change of status, and later once more for what an ended job gets."""
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
        """TrainingStartTime: when it first got instances."""
        return next((span.start for span in self.begun if span.phase.on_instances), None)

    @property
    def training_end(self) -> float | None:
        """TrainingEndTime; a job that never got instances has none."""
        return self.end if self.ended and self.training_start is not None else None

    @property
    def training_seconds(self) -> int:
        """Whole seconds on instances so far."""
        spent = sum(min(span.end, self.now) - span.start for span in self.begun if span.phase.on_instances)
        return int(round(spent, 3))


def moment(life: Life, now: float) -> Moment:
    """Where `life` stands at `now`; before its creation it stands at its creation."""
    spans = timeline(life)
    begun = tuple(span for span in spans if span.start <= now) or spans[:1]
    return Moment(life, now, begun, spans[-1].end if life.ending else math.inf)
