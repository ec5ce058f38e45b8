"""Implement ListTrainingJobs, including its quirks.

Like the real service it cuts a page first and filters by status afterwards, so a page can be short or empty while
NextToken is set.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from exporter.simulator.answers import summary
from exporter.simulator.life import Life
from exporter.simulator.moment import moment
from exporter.simulator.paging import Cut, Key, one_of, page, size_of
from exporter.simulator.store import Consistency, Jobs, by_creation

Wire = dict[str, Any]

STATUSES = ("InProgress", "Completed", "Failed", "Stopping", "Stopped", "Deleting")
POOL_STATUSES = ("Available", "Terminated", "Reused", "InUse")


def list_training_jobs(request: Wire, jobs: Jobs, now: float, consistency: Consistency) -> Wire:
    """Return the response at `now` (Unix seconds). Raises ApiError for a request that the service would reject."""
    sort_by = one_of(request, "SortBy", ("Name", "CreationTime", "Status"), "CreationTime")
    order = one_of(request, "SortOrder", ("Ascending", "Descending"), "Ascending")
    cut = Cut(size_of(request), order == "Descending", sort_by, request.get("NextToken"))
    status = one_of(request, "StatusEquals", STATUSES)
    one_of(request, "WarmPoolStatusEquals", POOL_STATUSES)

    entries = jobs.created(request.get("CreationTimeAfter", -math.inf), now - consistency.list_delay)
    key = _key(sort_by, now)
    if sort_by != "CreationTime":
        entries.sort(key=key)
    chosen, token = page(entries, key, cut, lambda life: _wanted(life, request, now))
    summaries = [summary(life, now) for life in chosen]
    answer: Wire = {
        "TrainingJobSummaries": [
            entry
            for entry in summaries
            if status in (None, entry["TrainingJobStatus"]) and _modified_within(entry, request)
        ]
    }
    if token:
        answer["NextToken"] = token
    return answer


def _key(sort_by: str, now: float) -> Callable[[Life], Key]:
    if sort_by == "Name":
        return lambda life: (life.name, life.created)
    if sort_by == "Status":
        return lambda life: (moment(life, now).status, life.created, life.name)
    return by_creation


def _wanted(life: Life, request: Wire, now: float) -> bool:
    """Return whether the filters that apply before the page is cut accept the job."""
    if now >= life.gone or life.created >= request.get("CreationTimeBefore", math.inf):
        return False
    if request.get("NameContains", "") not in life.name:
        return False
    plan = request.get("TrainingPlanArnEquals")
    if plan and plan != life.spec.get("ResourceConfig", {}).get("TrainingPlanArn"):
        return False
    pool = request.get("WarmPoolStatusEquals")
    return not pool or summary(life, now).get("WarmPoolStatus", {}).get("Status") == pool


def _modified_within(entry: Wire, request: Wire) -> bool:
    """Return whether an entry was last modified within the requested range.

    The filter applies after the page was cut: with the real service, LastModifiedTimeAfter returned many empty pages.
    """
    after = request.get("LastModifiedTimeAfter", -math.inf)
    return bool(after < entry["LastModifiedTime"] < request.get("LastModifiedTimeBefore", math.inf))
