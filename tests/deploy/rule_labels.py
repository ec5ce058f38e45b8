"""Define which metrics, labels and label values a query may use."""

from __future__ import annotations

from collections.abc import Iterator

import promql_parser

from exporter.catalogue import CATALOGUE
from exporter.polling.api import _ADVICE
from exporter.training.cost import NO_PRICE, TRAINING_PLAN
from exporter.training.deadline import LIMITS
from exporter.training.failures import FAILURE_CATEGORIES
from exporter.training.job import SECONDARY_STATUSES, STATUSES, WARM_POOL_STATUSES
from exporter.training.usage import USAGES
from exporter.training.waiting import WAITING_REASONS
from tests.deploy.ruleset import RECORDS, selectors

# The labels that Prometheus and its operator add to each scraped series.
SCRAPE = {"instance", "job", "pod", "container", "endpoint", "namespace", "service"}
_SUFFIXES = {"counter": ("",), "gauge": ("",), "info": ("",), "histogram": ("_bucket", "_sum", "_count")}
_LABELS: dict[str, set[str]] = {
    "up": set(),
    **{
        family.name + suffix: {*family.label_names, *(["le"] if suffix == "_bucket" else [])}
        for family in CATALOGUE
        for suffix in _SUFFIXES[family.kind]
    },
}
_VALUES: dict[str, set[str]] = {
    "secondary_status": {*SECONDARY_STATUSES},
    "category": {*FAILURE_CATEGORIES},
    "code": {*_ADVICE},
    "usage": {*USAGES},
    "limit": {*LIMITS},
    "reason": {*WAITING_REASONS},
    "spot": {"true", "false"},
}
_UNPRICED = "sagemaker_training_unpriced_instance_seconds"
_STATUSES = {
    "sagemaker_training_job_warm_pool_status": {*WARM_POOL_STATUSES},
    "sagemaker_exporter_unknown_status_total": set[str](),
}


def mistakes(expr: str) -> Iterator[str]:
    """Return the names in a query that the exporter does not export."""
    for selector in selectors(expr):
        name = selector.name or ""
        if name not in _LABELS and name not in RECORDS:
            yield f"no metric {name}"
            continue
        for matcher in selector.matchers.matchers:
            if matcher.name not in labels_of(name):
                yield f"{name} has no label {matcher.name}"
            unknown = _named(matcher) - _values(name, matcher.name)
            if unknown and _values(name, matcher.name):
                yield f"{name} has no {matcher.name} {sorted(unknown)}"


def labels_of(name: str) -> set[str]:
    """The labels that a family or a recorded series can have."""
    if name in RECORDS:
        # A rule may name what it recorded before.
        given = {s.name or "" for s in selectors(RECORDS[name]["expr"])} - {name}
        return set().union(*map(labels_of, given), {"model", "owner"}) - SCRAPE
    tags = {"tag_team", "tag_model"} if name.endswith("_total") or name == "sagemaker_training_job_tags" else set()
    return _LABELS[name] | SCRAPE | tags


def _values(name: str, label: str) -> set[str]:
    """Return the values that a label can have; empty if users define them."""
    if label == "reason" and _UNPRICED in name:
        return {NO_PRICE, TRAINING_PLAN}
    return _STATUSES.get(name, {*STATUSES}) if label == "status" else _VALUES.get(label, set())


def _named(matcher: promql_parser.Matcher) -> set[str]:
    """Return the values that a matcher matches; alternatives of a regular expression count separately."""
    equal = matcher.op in (promql_parser.MatchOp.Equal, promql_parser.MatchOp.NotEqual)
    values = {matcher.value} if equal else {*matcher.value.split("|")}
    return values - {"", "STATUS"}
