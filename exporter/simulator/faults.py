"""Inject faults into responses. The list of faults is immutable, and can be replaced while the simulator runs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType

from exporter.simulator.errors import ApiError
from exporter.simulator.rng import seeded


class Kind(StrEnum):
    """The ways in which a response can fail."""

    THROTTLE = "throttle"
    SERVER_ERROR = "server_error"
    UNAVAILABLE = "unavailable"
    RESET = "reset"  # connection reset before the operation was performed
    SLOW = "slow"  # the correct response, `seconds` late
    CUT = "cut"  # connection closed in the middle of the body, after the operation was performed
    TRUNCATED = "truncated"  # half of the body, with a matching Content-Length
    NOT_JSON = "not_json"
    EMPTY = "empty"  # 200 with {}
    ACCESS_DENIED = "access_denied"
    REGION_DISABLED = "region_disabled"
    EXPIRED = "expired"
    VALIDATION = "validation"
    PAGING_REFUSED = "paging_refused"  # the NextToken of a list of quotas is refused


TRANSIENT = (
    Kind.THROTTLE,
    Kind.SERVER_ERROR,
    Kind.UNAVAILABLE,
    Kind.RESET,
    Kind.CUT,
    Kind.TRUNCATED,
    Kind.NOT_JSON,
    Kind.EMPTY,
)


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault with its probability, where it applies (None: everywhere) and when (Unix seconds of the simulator)."""

    kind: Kind
    probability: float = 1.0
    account: str | None = None
    region: str | None = None
    operation: str | None = None
    seconds: float = 0.0
    since: float = -math.inf
    until: float = math.inf

    def concerns(self, call: Call, now: float) -> bool:
        """Return whether the fault can hit this call."""
        return (
            self.account in (None, call.account)
            and self.region in (None, call.region)
            and self.operation in (None, call.operation)
            and self.since <= now < self.until
        )


@dataclass(frozen=True, slots=True)
class Call:
    """A request: its account, region and operation, and its number among the requests with the same three."""

    account: str
    region: str
    operation: str
    number: int = 0


@dataclass(frozen=True, slots=True)
class Faults:
    """All faults of a simulator. At most one of them hits a call; the probabilities of those that can hit it add up.

    `rates` are the requests per second that an operation accepts per account and region before it throttles.
    """

    faults: tuple[Fault, ...] = ()
    rates: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    seed: int = 0

    def also(self, *faults: Fault) -> Faults:
        """Return these faults and more."""
        return replace(self, faults=self.faults + faults)

    def strike(self, call: Call, now: float) -> Fault | None:
        """Return the fault that hits this call, None if there is none. With the same seed, the same call always has the
        same result, whatever other calls come in between."""
        candidates = [fault for fault in self.faults if fault.concerns(call, now)]
        if not candidates:
            return None
        luck = seeded(self.seed, call.account, call.region, call.operation, call.number).random()
        for fault in candidates:
            luck -= fault.probability
            if luck < 0:
                return fault
        return None


def mixture(probability: float, seed: int = 0) -> Faults:
    """Return all transient faults, with this probability in total."""
    share = probability / len(TRANSIENT)
    return Faults(tuple(Fault(kind, share) for kind in TRANSIENT), seed=seed)


def error_of(kind: Kind, call: Call) -> ApiError | None:
    """Return the error response of a kind of fault, None if that kind is not an error response."""
    user = f"User: arn:aws:iam::{call.account}:user/simulated"
    errors = {
        Kind.THROTTLE: ("ThrottlingException", "Rate exceeded", 400),
        Kind.SERVER_ERROR: ("InternalFailure", "The request processing has failed.", 500),
        Kind.UNAVAILABLE: ("ServiceUnavailable", "Service is unable to handle request.", 503),
        Kind.ACCESS_DENIED: (
            "AccessDeniedException",
            f"{user} is not authorized to perform: {call.operation}",
            400,
        ),
        Kind.REGION_DISABLED: (
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
            400,
        ),
        Kind.EXPIRED: ("ExpiredTokenException", "The security token included in the request is expired", 400),
        Kind.VALIDATION: ("ValidationException", "1 validation error detected", 400),
    }
    return ApiError(*errors[kind]) if kind in errors else None


class Buckets:
    """Token buckets, one for each account, region and operation with a rate. Each holds the tokens of one second."""

    def __init__(self) -> None:
        self._levels: dict[tuple[str, str, str], tuple[float, float]] = {}

    def take(self, call: Call, rate: float, now: float) -> bool:
        """Take a token at `now` (monotonic seconds), and return whether there was one."""
        key = (call.account, call.region, call.operation)
        capacity = max(1.0, rate)
        level, stamp = self._levels.get(key, (capacity, now))
        level = min(capacity, level + (now - stamp) * rate)
        granted = level >= 1
        self._levels[key] = (level - granted, now)
        return granted
