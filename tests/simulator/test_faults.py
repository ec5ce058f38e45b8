"""Test faults: which requests they affect, how often, and that the same seed gives the same faults."""

from __future__ import annotations

from collections import Counter

import pytest

from exporter.simulator.faults import TRANSIENT, Buckets, Call, Fault, Faults, Kind, error_of, mixture

CALL = Call("123456789012", "us-east-1", "DescribeTrainingJob")


def calls(count: int) -> list[Call]:
    return [Call(CALL.account, CALL.region, CALL.operation, number) for number in range(count)]


@pytest.mark.parametrize(
    ("fault", "strikes"),
    [
        (Fault(Kind.THROTTLE), True),
        (Fault(Kind.THROTTLE, account=CALL.account, region=CALL.region, operation=CALL.operation), True),
        (Fault(Kind.THROTTLE, account="other"), False),
        (Fault(Kind.THROTTLE, region="eu-west-1"), False),
        (Fault(Kind.THROTTLE, operation="Search"), False),
        (Fault(Kind.THROTTLE, since=100, until=101), True),
        (Fault(Kind.THROTTLE, since=101), False),
        (Fault(Kind.THROTTLE, until=100), False),
        (Fault(Kind.THROTTLE, probability=0), False),
    ],
)
def test_a_fault_strikes_whom_it_concerns(fault: Fault, strikes: bool) -> None:
    assert Faults((fault,)).strike(CALL, now=100) == (fault if strikes else None)


def test_probabilities_add_up() -> None:
    faults = Faults().also(Fault(Kind.RESET, 0.1), Fault(Kind.SLOW, 0.2), Fault(Kind.EMPTY, 0.1))
    struck = [faults.strike(call, 0) for call in calls(3000)]
    shares = Counter(fault.kind if fault else None for fault in struck)
    assert shares[Kind.RESET] / 3000 == pytest.approx(0.1, abs=0.03)
    assert shares[Kind.SLOW] / 3000 == pytest.approx(0.2, abs=0.03)
    assert shares[None] / 3000 == pytest.approx(0.6, abs=0.03)


def test_luck_depends_on_seed_and_call_alone() -> None:
    def luck(seed: int) -> list[Fault | None]:
        return [mixture(0.5, seed).strike(call, 0) for call in calls(50)]

    assert luck(1) == luck(1)
    assert luck(1) != luck(2)


def test_a_mixture_has_every_transient_kind() -> None:
    struck = Counter(fault.kind for call in calls(500) if (fault := mixture(1.0).strike(call, 0)))
    assert set(struck) == set(TRANSIENT)
    assert sum(struck.values()) == 500


def test_error_answers() -> None:
    codes = {kind: error.code for kind in Kind if (error := error_of(kind, CALL))}
    assert codes == {
        Kind.THROTTLE: "ThrottlingException",
        Kind.SERVER_ERROR: "InternalFailure",
        Kind.UNAVAILABLE: "ServiceUnavailable",
        Kind.ACCESS_DENIED: "AccessDeniedException",
        Kind.REGION_DISABLED: "UnrecognizedClientException",
        Kind.EXPIRED: "ExpiredTokenException",
        Kind.VALIDATION: "ValidationException",
    }


def test_a_bucket_grants_its_rate() -> None:
    buckets = Buckets()
    assert [buckets.take(CALL, 2, now) for now in (0, 0, 0, 0.4, 0.5, 0.6, 1, 9, 9, 9)] == [
        *(True, True, False),
        *(False, True, False),
        *(True, True, True, False),
    ]
    assert buckets.take(Call("other", CALL.region, CALL.operation), 2, 9)


def test_a_slow_bucket_still_grants_one_at_a_time() -> None:
    buckets = Buckets()
    assert [buckets.take(CALL, 0.5, now) for now in (0, 1, 2)] == [True, False, True]
