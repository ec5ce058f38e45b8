"""How far a target is with reading everything once after a start."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from exporter.polling.tracker import TrackedJob


class FirstSync:
    """Of one target: complete once the first discovery has listed all jobs and each was read once, or could not be
    read by itself. A target that still fails to read when `patience` seconds have passed since then has failed."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._awaited: list[TrackedJob] | None = None
        self._number, self._until = 0, 0.0
        self.failed = False

    @property
    def listed(self) -> bool:
        """Whether every job is known at least from a listing."""
        return self._awaited is not None

    @property
    def complete(self) -> bool:
        return self._awaited == []

    @property
    def over(self) -> bool:
        """Whether nobody has to wait for it any more."""
        return self.complete or self.failed

    @property
    def progress(self) -> str | None:
        """For people; None when it is complete."""
        if self._awaited is None:
            return "not begun"
        left = len(self._awaited)
        return f"{self._number - left} of {self._number} jobs read" if left else None

    def undiscovered(self) -> None:
        """The jobs could not be listed."""
        self.failed = self.failed or not self.listed

    def discovered(self, tracked: Iterable[TrackedJob], at: float) -> None:
        """All jobs were listed. Only the first time counts."""
        if self._awaited is None:
            self._awaited = [one for one in tracked if not one.read]
            self._number, self._until, self.failed = len(self._awaited), at + self._patience, False

    def was_read(self, tried: Collection[str] = ()) -> None:
        """Jobs were read; those that were `tried` and not read could not be."""
        if self._awaited:
            self._awaited = [one for one in self._awaited if not one.read and one.job.name not in tried]

    def unread(self, at: float) -> None:
        """Reading fails for the whole target."""
        if self.listed and not self.complete and at >= self._until:
            self.failed = True
