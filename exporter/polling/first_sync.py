"""Tracks whether every job of a target has been read once since the start."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from exporter.polling.tracker import TrackedJob


class FirstSync:
    """Tracks the first sync of one target, which readiness waits for.

    It is complete once the first discovery has listed all jobs and each was read or is refused by itself. It has failed
    if jobs cannot be listed, or if reading still fails `patience` seconds after they were: nothing waits for it then.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._awaited: list[TrackedJob] | None = None
        self._number, self._until = 0, 0.0
        self.failed = False

    @property
    def listed(self) -> bool:
        """Return whether every job is known at least from a listing."""
        return self._awaited is not None

    @property
    def complete(self) -> bool:
        """Return whether every listed job was read or refused."""
        return self._awaited == []

    @property
    def over(self) -> bool:
        """Return whether there is nothing left to wait for."""
        return self.complete or self.failed

    @property
    def progress(self) -> str | None:
        """Return the progress as text for the status page; None when it is complete."""
        if self._awaited is None:
            return "not begun"
        left = len(self._awaited)
        return f"{self._number - left} of {self._number} jobs read" if left else None

    def undiscovered(self) -> None:
        """Record that jobs could not be listed."""
        self.failed = self.failed or not self.listed

    def discovered(self, tracked: Iterable[TrackedJob], at: float) -> None:
        """Record that all jobs were listed; only the first call has an effect."""
        if self._awaited is None:
            self._awaited = [one for one in tracked if not one.read]
            self._number, self._until, self.failed = len(self._awaited), at + self._patience, False

    def was_read(self, tried: Collection[str] = ()) -> None:
        """Record that jobs were read. The jobs named in `tried` are not awaited any more, even if they were not."""
        if self._awaited:
            self._awaited = [one for one in self._awaited if not one.read and one.job.name not in tried]

    def unread(self, at: float) -> None:
        """Record that reading fails for the whole target."""
        if self.listed and not self.complete and at >= self._until:
            self.failed = True
