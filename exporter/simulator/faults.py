"""What can be made to go wrong: a frozen list that may be exchanged for another while the simulator runs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType

from exporter.simulator.errors import ApiError
from exporter.simulator.rng import seeded


class Kind(StrEnum):
    """Ways in which an answer goes wrong."""

    THROTTLE = "throttle"
    SERVER_ERROR = "server_error"
    UNAVAILABLE = "unavailable"
    RESET = "reset"  # the connection, before anything was done
    SLOW = "slow"  # the right answer, `seconds` late
    CUT = "cut"  # the connection drops in the middle of the body, after the work was done
    TRUNCATED = "truncated"  # half of the body, as if it were whole
    NOT_JSON = "not_json"
    EMPTY = "empty"  # 200 with {}
    ACCESS_DENIED = "access_denied"
    REGION_DISABLED = "region_disabled"
    EXPIRED = "expired"
    VALIDATION = "validation"


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
    """One thing that goes wrong, with what probability, where (None: anywhere) and when (simulator's time)."""

    kind: Kind
    probability: float = 1.0
    account: str | None = None
    region: str | None = None
    operation: str | None = None
    seconds: float = 0.0
    since: float = -math.inf
    until: float = math.inf

    def concerns(self, call: Call, now: float) -> bool:
        """Whether it may strike this call."""
        return (
            self.account in (None, call.account)
            and self.region in (None, call.region)
            and self.operation in (None, call.operation)
            and self.since <= now < self.until
        )


@dataclass(frozen=True, slots=True)
class Call:
    """One request: whose, where, what, and the how many of its kind."""

    account: str
    region: str
    operation: str
    number: int = 0


@dataclass(frozen=True, slots=True)
class Faults:
    """The switchboard. Probabilities of faults that concern the same call add up; at most one strikes.

    `rates`: requests a second that an operation takes per account and region before it throttles.
    """

    faults: tuple[Fault, ...] = ()
    rates: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    seed: int = 0

    def also(self, *faults: Fault) -> Faults:
        """The same and these."""
        return replace(self, faults=self.faults + faults)

    def strike(self, call: Call, now: float) -> Fault | None:
        """The fault that strikes this call. The same call of the same seed always has the same luck."""
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
    """Every transient kind, all together with this probability."""
    share = probability / len(TRANSIENT)
    return Faults(tuple(Fault(kind, share) for kind in TRANSIENT), seed=seed)


def error_of(kind: Kind, call: Call) -> ApiError | None:
    """The error answer that a kind of fault consists of, None if it is of another nature."""
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
    """Token buckets, one for each account, region and operation that has a rate; each holds one second's worth."""

    def __init__(self) -> None:
        self._levels: dict[tuple[str, str, str], tuple[float, float]] = {}

    def take(self, call: Call, rate: float, now: float) -> bool:
        """Whether there is a token left at `now` (monotonic seconds)."""
        key = (call.account, call.region, call.operation)
        capacity = max(1.0, rate)
        level, stamp = self._levels.get(key, (capacity, now))
        level = min(capacity, level + (now - stamp) * rate)
        granted = level >= 1
        self._levels[key] = (level - granted, now)
        return granted
