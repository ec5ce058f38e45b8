"""Test that an empty 200 response means neither that there are no jobs, nor that a job has no tags."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from exporter.clock import SystemClock
from exporter.polling.api import LIST, SEARCH, TAGS, Api, ApiError, Calls, CreatedBetween
from tests.sagemaker import api


class _Hollow:
    """Respond to everything with an object that a proxy emptied."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self._answer = answer

    async def list_training_jobs(self, **_: Any) -> dict[str, Any]:
        return dict(self._answer)

    search = list_tags = list_training_jobs


@pytest.mark.parametrize("answer", [{}, {"TrainingJobSummaries": None, "Results": "none", "Tags": {}}])
@pytest.mark.parametrize(
    ("operation", "ask"),
    [
        (LIST, lambda api: api.list_jobs(CreatedBetween(None, None), None)),
        (SEARCH, lambda api: api.search_active(None)),
        (SEARCH, lambda api: api.search_created(CreatedBetween(None, None), None)),
        (TAGS, lambda api: api.tags("arn")),
    ],
)
async def test_answer_without_its_list_is_an_error(
    operation: str, ask: Callable[[Api], Awaitable[object]], answer: dict[str, Any]
) -> None:
    calls = Calls()
    with pytest.raises(ApiError) as failed:
        await ask(api(_Hollow(answer), calls, SystemClock()))
    assert (failed.value.operation, failed.value.code) == (operation, "InvalidResponse")
    assert calls.errors == {(operation, "InvalidResponse"): 1}
