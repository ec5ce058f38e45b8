"""Implement Search(Resource=TrainingJob): filters on almost the whole description, from an index that lags behind."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from exporter.simulator.answers import search_record
from exporter.simulator.errors import ApiError
from exporter.simulator.life import Life
from exporter.simulator.moment import Moment, moment
from exporter.simulator.paging import Cut, Key, one_of, page, size_of
from exporter.simulator.store import Consistency, Jobs

Wire = dict[str, Any]
Predicate = Callable[[Moment], bool]

# The most common properties are computed without building the whole record.
QUICK: Mapping[str, Callable[[Moment], Any]] = MappingProxyType(
    {
        "TrainingJobName": lambda at: at.life.name,
        "TrainingJobStatus": lambda at: at.status,
        "SecondaryStatus": lambda at: at.secondary_status,
        "CreationTime": lambda at: round(at.life.created, 3),
        "LastModifiedTime": lambda at: at.last_modified,
        "TrainingStartTime": lambda at: at.training_start,
        "TrainingEndTime": lambda at: at.training_end,
    }
)
COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = MappingProxyType(
    {
        "GreaterThan": operator.gt,
        "GreaterThanOrEqualTo": operator.ge,
        "LessThan": operator.lt,
        "LessThanOrEqualTo": operator.le,
    }
)


def search(request: Wire, jobs: Jobs, now: float, consistency: Consistency) -> Wire:
    """Return the response at `now` (Unix seconds). Raises ApiError for a request that the service would reject."""
    if one_of(request, "Resource", ("TrainingJob",)) is None:
        raise ApiError("ValidationException", "Resource is required.")
    sort_by = request.get("SortBy", "LastModifiedTime")
    order = one_of(request, "SortOrder", ("Ascending", "Descending"), "Descending")
    cut = Cut(size_of(request), order == "Descending", sort_by, request.get("NextToken"))
    wanted = _expression(request.get("SearchExpression") or {})

    indexed = now - consistency.search_lag
    lives = (life for life in jobs.created(-math.inf, indexed) if indexed < life.gone)
    hits = [at for at in (moment(life, indexed) for life in lives) if wanted(at)]
    key = _key(sort_by)
    # By creation they are in order already.
    if sort_by != "CreationTime":
        hits.sort(key=key)
    chosen, token = page(hits, key, cut, lambda _: True)
    answer: Wire = {
        "Results": [{"TrainingJob": search_record(at.life, indexed)} for at in chosen],
        "TotalHits": {"Value": len(hits), "Relation": "EqualTo"},
    }
    if token:
        answer["NextToken"] = token
    return answer


def _key(sort_by: str) -> Callable[[Moment], Key]:
    def key(at: Moment) -> Key:
        value = _property(at, sort_by)
        comparable = value if isinstance(value, int | float) else str(value or "")
        # Numbers sort before texts: a property can have both types, and Python cannot compare them.
        return isinstance(comparable, str), comparable, at.life.created, at.life.name

    return key


def _expression(expression: Wire) -> Predicate:
    if expression.get("NestedFilters"):
        raise ApiError("ValidationException", "NestedFilters are not supported for TrainingJob here.")
    parts = [_filter(entry) for entry in expression.get("Filters", ())]
    parts += [_expression(entry) for entry in expression.get("SubExpressions", ())]
    if one_of(expression, "Operator", ("And", "Or"), "And") == "Or" and parts:
        return lambda at: any(part(at) for part in parts)
    return lambda at: all(part(at) for part in parts)


def _filter(entry: Wire) -> Predicate:
    name, kind, value = entry["Name"], entry.get("Operator", "Equals"), entry.get("Value", "")
    if kind in ("Exists", "NotExists"):
        return lambda at: (_property(at, name) is not None) == (kind == "Exists")
    if kind in COMPARISONS:
        bound, compare = _number(name, value), COMPARISONS[kind]
        return lambda at: _compares(compare, _property(at, name), bound)
    if kind == "In":
        choices = {choice.strip() for choice in value.split(",")}
        return lambda at: _text(_property(at, name)) in choices
    if kind == "Contains":
        return lambda at: value in (_text(_property(at, name)) or "")
    if kind in ("Equals", "NotEquals"):
        return lambda at: (_text(_property(at, name)) == value) == (kind == "Equals")
    raise ApiError("ValidationException", f"Unknown operator {kind}.")


def _compares(compare: Callable[[Any, Any], bool], found: Any, bound: float) -> bool:
    try:
        return compare(float(found), bound)
    except (TypeError, ValueError):
        return False


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    return None if value is None else str(value)


def _number(name: str, value: str) -> float:
    """Return a bound of a filter as a number. In the request it is ISO 8601 for times, else a decimal number."""
    try:
        if not name.endswith("Time"):
            return float(value)
        parsed = datetime.fromisoformat(value)
    except ValueError:
        raise ApiError("ValidationException", f"Invalid value {value!r} for property {name}.") from None
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()


def _property(at: Moment, name: str) -> Any:
    if name in QUICK:
        return QUICK[name](at)
    head, _, rest = name.partition(".")
    if head == "Tags":
        return at.life.tags.get(rest)
    if head == "Metrics":
        return next((metric.value for metric in reversed(at.life.metrics) if metric.name == rest), None)
    return _dig(at.life, at.now, name)


def _dig(life: Life, now: float, name: str) -> Any:
    value: Any = search_record(life, now)
    for part in name.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(part)
    return value
