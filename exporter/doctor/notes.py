"""Takes notes of what one target answers. Nothing is noted but numbers, codes, and names of operations and fields."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from statistics import median
from typing import TypeVar

from exporter.aws.errors import plain_advice
from exporter.aws.observing import Observer, Received
from exporter.config import Config
from exporter.doctor.assumptions import Ended, last_change, tallies
from exporter.doctor.conformity import Deviation, Shape, deviations
from exporter.doctor.findings import Failure, Reading, Section
from exporter.doctor.permissions import PERMISSIONS
from exporter.polling.api import DESCRIBE, IDENTITY, NO_ADVICE, THROTTLES, ApiError
from exporter.polling.health import KNOWN_STATUSES, statuses_of
from exporter.process.logs import Log
from exporter.training.job import TrainingJob

_log = Log(__name__)
_T = TypeVar("_T")
# AWS's codes are words, or the status of a response without one. Anything else may be a value.
_CODE = re.compile(r"[A-Z][A-Za-z]{2,60}(\.[A-Z][A-Za-z]{2,60})*|[45]\d\d")

_BUG = "a mistake of the exporter; please report it"
# Advice that is not looked up by its code can have details of this machine or of the response.
_MORE = "`sagemaker-exporter once` says more than may be published"


class Notes(Observer):
    """What the operations of one target answered."""

    def __init__(self) -> None:
        super().__init__()
        self._seconds: defaultdict[str, list[float]] = defaultdict(list)
        self._ahead: list[float] = []
        self._checked: Counter[str] = Counter()
        self._deviations: Counter[tuple[str, Deviation]] = Counter()
        self._lacking: frozenset[str] = frozenset()
        self._strange: set[str] = set()
        self._ended: list[Ended] = []
        self._done: Counter[str] = Counter()
        self._failures: defaultdict[str, Counter[Failure]] = defaultdict(Counter)
        self._found: dict[str, str] = {}
        self._untried: dict[str, str] = {}

    def received(self, what: Received) -> None:
        self._seconds[what.operation].append(what.seconds)
        if what.ahead is not None:
            self._ahead.append(what.ahead)
        if what.answer is None or what.shape is None:
            return
        # The SDK itself builds the answers of STS, which are XML, from the model.
        if what.operation == IDENTITY:
            return
        self._checked[what.operation] += 1
        # What every entry of a list has in common counts once.
        self._deviations.update({(what.operation, each) for each in deviations(what.shape, what.answer)})
        if what.operation == DESCRIBE:
            self._lacking = frozenset(_statuses(what.shape.members)) - KNOWN_STATUSES

    async def attempt(self, operation: str, call: Callable[[], Awaitable[_T]]) -> _T | None:
        """Make a call, and note how it went. Return its result; None if it failed, which concerns nothing else."""
        result: _T | None = None
        with self.noting(operation):
            result = await call()
            self._done[operation] += 1
        return result

    async def guarded(self, operation: str, work: Awaitable[_T], instead: _T) -> _T:
        """Return the result of some work about an operation, or `instead` if it fails."""
        with self.noting(operation):
            return await work
        return instead

    @contextmanager
    def noting(self, *operations: str) -> Iterator[None]:
        """Note a failure of the block for each of these operations, and go on."""
        try:
            yield
        except ApiError as error:
            for operation in operations:
                self.fail(operation, error)
        except Exception:  # noqa: BLE001
            # A bug that affects one operation must not hide the others.
            _log.exception("a check failed unexpectedly", operations=", ".join(operations))
            for operation in operations:
                self._failures[operation][Failure(operation, "InternalError", _BUG)] += 1

    def fail(self, operation: str, error: ApiError) -> None:
        """Note a failure of an operation, or of one before it, such as AssumeRole."""
        code = error.code if _CODE.fullmatch(error.code) else "UnknownError"
        advice = plain_advice(code) or (NO_ADVICE if error.advice == NO_ADVICE else _MORE)
        self._failures[operation][Failure(error.operation, code, advice, error.denied)] += 1

    def hung(self, operation: str) -> bool:
        """Return whether an operation had no answer in time."""
        return any(failure.code == "Timeout" for failure in self._failures[operation])

    def find(self, operation: str, what: str) -> None:
        """Note what an operation returned, in words that have nothing of it but numbers."""
        self._found[operation] = what

    def leave_out(self, operation: str, reason: str) -> None:
        """Note why an operation is not tried."""
        self._untried[operation] = reason

    def see(self, *jobs: TrainingJob) -> None:
        """Look for unknown statuses."""
        self._strange |= {job.name for job in jobs if statuses_of(job) - KNOWN_STATUSES}

    def ended(self, job: Ended) -> None:
        """Take note of an ended job."""
        self._ended.append(job)

    def reading(self, operation: str, config: Config) -> Reading:
        """Return how an operation went."""
        return Reading(
            operation,
            PERMISSIONS[operation].wanted(config),
            self._done[operation],
            dict(self._failures[operation]),
            self._untried.get(operation, ""),
            self._found.get(operation, ""),
            tuple(self._seconds[operation]),
            sum(n for (asked, code), n in self.errors.items() if asked == operation and code in THROTTLES),
        )

    def section(self, title: str, readings: tuple[Reading, ...], seconds: float) -> Section:
        """Return everything that was noted."""
        return Section(
            title,
            readings,
            median(self._ahead) if self._ahead else None,
            seconds,
            dict(self._checked),
            dict(self._deviations),
            len(self._strange),
            self._lacking,
            tallies(self._ended) if self._ended else (),
            Counter(last_change(each.job) for each in self._ended),
            sum(each.job.unbilled for each in self._ended),
        )


def _statuses(members: Mapping[str, Shape]) -> Iterator[str]:
    """Yield the statuses that AWS's model of a description knows."""
    pool = members["WarmPoolStatus"].members["Status"]
    for shape in (members["TrainingJobStatus"], members["SecondaryStatus"], pool):
        yield from shape.enum
