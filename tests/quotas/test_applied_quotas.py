"""Which quotas a list has, by their names."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.polling.api import ApiError
from exporter.quotas.applied import LIST_QUOTAS, NO_QUOTAS, Collector, Quotas, read_quotas
from tests.quotas.listed import ALL, OTHER, quota


def collected(*items: object) -> Quotas:
    collector = Collector()
    collector.take([*items, quota(OTHER, 2.0)])
    return collector.quotas()


KNOWN = collected()


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("ml.g5.xlarge for training job usage", ("ml.g5.xlarge", "training")),
        ("ml.g5.xlarge for spot training job usage", ("ml.g5.xlarge", "spot_training")),
        ("ml.g5.xlarge for training warm pool usage", ("ml.g5.xlarge", "warm_pool")),
        ("ml.p6-b200.48xlarge for training job usage", ("ml.p6-b200.48xlarge", "training")),
        ("ml.u-3tb1.metal-24xl for spot training job usage", ("ml.u-3tb1.metal-24xl", "spot_training")),
        ("ml.g5.xlarge for processing job usage", None),
        ("ml.g5.xlarge for transform job usage", None),
        ("ml.g5.xlarge for endpoint usage", None),
        ("ml.g5.xlarge for cluster usage", None),
        ("ml.g5.xlarge for spot cluster usage", None),
        ("ml.g5.xlarge for notebook instance usage", None),
        ("ml.g5.xlarge for training plan usage", None),
        ("a ml.g5.xlarge for training job usage", None),
        ("ml.g5.xlarge for training job usage per region", None),
        ("ml.g5.xlarge for training job usage\n", None),
        ("g5.xlarge for training job usage", None),
        ("ml. for training job usage", None),
        ("Maximum number of instances per training job", None),
        ("Number of instances across all processing jobs", None),
        ("Maximum number of instances across all training jobs", None),
        ("", None),
    ],
)
def test_a_name_says_type_and_usage(name: str, key: tuple[str, str] | None) -> None:
    expected = {key: 8.0} if key else {}
    assert collected(quota(name, 8.0)).by_type == {**KNOWN.by_type, **expected}


def test_the_quota_across_all_training_jobs() -> None:
    assert collected(quota(ALL, 20.0)) == Quotas(KNOWN.by_type, 20.0)
    assert KNOWN.all_instances is None


NAME = "ml.g5.xlarge for training job usage"


@pytest.mark.parametrize(
    ("entry", "value"),
    [
        (quota(NAME, 4), 4.0),
        (quota(NAME, 0.0), 0.0),
        (quota(NAME, QuotaAppliedAtLevel="ALL"), 8.0),
        (quota(NAME, QuotaAppliedAtLevel="ACCOUNT"), 8.0),
        (quota(NAME, QuotaAppliedAtLevel="RESOURCE"), None),
        (quota(NAME, ErrorReason={"ErrorCode": "SERVICE_QUOTA_NOT_AVAILABLE_ERROR"}), None),
        (quota(NAME, None), None),
        ({"QuotaName": NAME}, None),
        (quota(NAME, "8"), None),
        (quota(NAME, True), None),
        (quota(NAME, -1.0), None),
        (quota(NAME, math.nan), None),
        (quota(NAME, math.inf), None),
        ({"QuotaName": 5, "Value": 8.0}, None),
        ({"Value": 8.0}, None),
        ("text", None),
        (None, None),
    ],
)
def test_an_unknown_value_is_no_quota(entry: object, value: float | None) -> None:
    assert collected(entry).by_type.get(("ml.g5.xlarge", "training")) == value


def test_a_quota_with_two_values_is_unknown() -> None:
    assert collected(quota(NAME, 8.0), quota(NAME, 8.0)).by_type["ml.g5.xlarge", "training"] == 8.0
    assert collected(quota(NAME, 8.0), quota(NAME, 4.0), quota(NAME, 8.0)) == KNOWN


def test_a_list_without_any_quota_of_training_is_an_error() -> None:
    with pytest.raises(ApiError, match="something else") as failed:
        Collector().quotas()
    assert (failed.value.operation, failed.value.code) == (LIST_QUOTAS, NO_QUOTAS)


@pytest.mark.slow
@settings(max_examples=50)
@given(st.lists(st.recursive(st.none() | st.text() | st.floats(), lambda some: st.dictionaries(st.text(), some))))
def test_anything_at_all_may_be_in_the_list(items: list[Any]) -> None:
    assert collected(*items) == KNOWN


class Lists:
    """Yields one page and then what follows in the attempt: another page, or an error."""

    def __init__(self, *attempts: list[object] | ApiError) -> None:
        self.attempts, self.read = attempts, 0

    async def items(self, region: str) -> AsyncGenerator[Sequence[object]]:
        following = self.attempts[self.read]
        self.read += 1
        yield [quota(NAME, float(self.read))]
        if isinstance(following, ApiError):
            raise following
        yield following


@pytest.mark.parametrize("code", ["InvalidPaginationToken", "InvalidPaginationTokenException"])
async def test_a_rejected_token_is_a_reason_to_start_over(code: str) -> None:
    lists = Lists(ApiError(LIST_QUOTAS, code), ApiError(LIST_QUOTAS, code), [quota(ALL, 20.0)])
    # Nothing of the attempts that failed is left.
    assert await read_quotas(lists, "us-east-1") == Quotas({("ml.g5.xlarge", "training"): 3.0}, 20.0)


async def test_it_starts_over_twice_at_most() -> None:
    lists = Lists(*[ApiError(LIST_QUOTAS, "InvalidPaginationTokenException")] * 5)
    with pytest.raises(ApiError, match="InvalidPaginationTokenException"):
        await read_quotas(lists, "us-east-1")
    assert lists.read == 3


async def test_another_error_is_no_reason_to_start_over() -> None:
    lists = Lists(*[ApiError(LIST_QUOTAS, "AccessDeniedException")] * 5)
    with pytest.raises(ApiError, match="AccessDeniedException"):
        await read_quotas(lists, "us-east-1")
    assert lists.read == 1
