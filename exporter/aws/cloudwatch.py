"""AWS's CloudWatch: values of metrics of SageMaker training jobs, in one account and region."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from exporter.aws.client import Client, objects, token_of, with_token
from exporter.aws.rates import RateLimits
from exporter.aws.sessions import AwsService
from exporter.cloudwatch.api import COMPLETE, GET_METRIC_DATA, MINUTE, PARTIAL, Metric, Series
from exporter.polling.paging import pages

CLOUDWATCH = AwsService("cloudwatch")
_NAMESPACE = "/aws/sagemaker/TrainingJobs"
# AWS allows 50 calls a second, which everybody in the account shares.
_PER_SECOND = 5.0
# How many of the newest points of a page are read. Nothing uses the older ones, and reading them took most of the CPU.
_NEWEST = 5
# How many pages one read may take. AWS bills the metrics of each page, and a read asks for less than a page may hold.
_PAGES = 5


def cloudwatch_limits(max_concurrency: int, timeout: float) -> RateLimits:
    """Return the limits of CloudWatch in one target."""
    return RateLimits({(GET_METRIC_DATA,): _PER_SECOND}, max_concurrency, timeout)


class _Page(NamedTuple):
    results: Sequence[Mapping[str, Any]]
    next_token: str | None
    operation: str = GET_METRIC_DATA


class CloudWatch:
    """Implements `exporter.cloudwatch.api.MetricSource` with a client of CloudWatch. `requested` is called with the
    number of metrics of each request."""

    def __init__(self, client: Client, requested: Callable[[int], None]) -> None:
        self._client, self._requested = client, requested

    def now(self) -> float:
        return self._client.now()

    async def read(self, metrics: Sequence[Metric], start: float, end: float) -> Mapping[Metric, Series]:
        parameters = {
            "MetricDataQueries": [_query(number, metric) for number, metric in enumerate(metrics)],
            "StartTime": start,
            "EndTime": end,
            "ScanBy": "TimestampDescending",
        }

        async def fetch(token: str | None) -> _Page:
            self._requested(len(metrics))
            asked = with_token(parameters, token)
            answer = await self._client.call(GET_METRIC_DATA, asked, listing="MetricDataResults")
            return _Page(objects(answer["MetricDataResults"]), token_of(answer))

        found: dict[str, Series] = {}
        read = 0
        async for page in pages(fetch, self._client.calls.refused):
            for result in page.results:
                _add(found, result)
            read += 1
            if read == _PAGES:
                # The newest values come first. What is missing now arrives with the next read.
                break
        by_id = (found.get(f"q{number}") for number in range(len(metrics)))
        return {metric: series for metric, series in zip(metrics, by_id, strict=True) if series is not None}


def _query(number: int, metric: Metric) -> dict[str, Any]:
    named = {
        "Namespace": _NAMESPACE,
        "MetricName": metric.name,
        "Dimensions": [{"Name": metric.dimension, "Value": metric.value}],
    }
    return {"Id": f"q{number}", "MetricStat": {"Metric": named, "Period": int(MINUTE), "Stat": "Average"}}


def _add(found: dict[str, Series], result: Mapping[str, Any]) -> None:
    """Add a result to those of earlier pages: what is partial on one page goes on on the next."""
    name = result.get("Id")
    if not isinstance(name, str):
        return
    points = _points(result.get("Timestamps"), result.get("Values"))
    status = str(result.get("StatusCode") or COMPLETE)
    if (earlier := found.get(name)) is not None:
        points = tuple(sorted({**dict(points), **dict(earlier.points)}.items(), reverse=True))
        status = earlier.status if earlier.status not in (COMPLETE, PARTIAL) else status
    found[name] = Series(points, status)


def _points(times: object, values: object) -> tuple[tuple[float, float], ...]:
    """Return the newest points, newest first, as the answer has them. Lists that do not match say nothing."""
    if not isinstance(times, list) or not isinstance(values, list) or len(times) != len(values):
        return ()
    points = [
        (time, float(value))
        for told, value in zip(times[:_NEWEST], values[:_NEWEST], strict=True)
        if (time := _seconds(told)) is not None and isinstance(value, int | float) and not isinstance(value, bool)
    ]
    points.sort(key=_time, reverse=True)
    return tuple(points)


def _time(point: tuple[float, float]) -> float:
    return point[0]


def _seconds(told: object) -> float | None:
    """Return a timestamp in Unix seconds: JSON has numbers, the SDK's parsers of other protocols make datetimes."""
    if isinstance(told, datetime):
        return told.timestamp()
    return float(told) if isinstance(told, int | float) and not isinstance(told, bool) else None
