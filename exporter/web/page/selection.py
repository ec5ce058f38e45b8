"""Selects the jobs that the status page shows: filtered and sorted as a query says, 50 per page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple
from urllib.parse import urlencode

from exporter.training.deadline import deadline
from exporter.training.holding import holding
from exporter.training.job import STATUSES, TrainingJob
from exporter.training.usage import WARM_POOL
from exporter.web.page import money
from exporter.web.page.phases import waiting_since
from exporter.web.page.reasons import REASONS, reasons, said
from exporter.web.page.records import ShownJob, Status
from exporter.web.page.text import LONGEST, Whole

ROWS = 50
# The values of the fields `refresh`, in seconds, and `pool`.
REFRESH, POOL = "30", "held"
# The value of the owner field that selects the jobs without an owner.
NO_OWNER = "-"
# The values of the field `sort`, with what it says.
ORDERS = {
    "": "active first",
    "cost": "cost so far",
    "rate": "cost per hour",
    "waiting": "waiting longest",
    "deadline": "nearest deadline",
    "owner": "owner",
    "type": "instance type",
    "reason": "reason",
}
_LAST = float("inf")


class Option(NamedTuple):
    """A value of a select field of the form, what it says, and whether it is selected."""

    value: str
    text: str
    chosen: bool


class Filter(NamedTuple):
    """A filter in use, in words, and the link to the page without it."""

    text: str
    without: Whole


@dataclass(frozen=True, slots=True)
class Query:
    """What a reader asks the page for. The names are those of the fields of the form; "" means any."""

    q: str = ""
    status: str = ""
    owner: str = ""
    type: str = ""
    reason: str = ""
    cost: str = ""
    pool: str = ""
    account: str = ""
    region: str = ""
    sort: str = ""
    page: str = ""
    refresh: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Query:
        """Return the known fields of a query, truncated. Pages are cached by this, so whatever means the default
        becomes the default."""
        found = cls(**{name: query.get(name, "")[:LONGEST] for name in _FIELDS})
        return replace(
            found,
            sort=found.sort if found.sort in ORDERS else "",
            page=str(_number(found.page)) if _number(found.page) > 1 else "",
            pool=found.pool if found.pool == POOL else "",
            refresh=found.refresh if found.refresh == REFRESH else "",
            cost=found.cost if _amount(found.cost) is not None else "",
        )

    def link(self, **changes: str) -> Whole:
        """Return a link to the same page with some fields changed, and to its first page unless one is named."""
        changed = replace(self, **({"page": ""} | changes))
        chosen = {name: value for name in _FIELDS if (value := getattr(changed, name))}
        # A query may hold lone surrogates, which UTF-8 cannot encode.
        return Whole("?" + urlencode(chosen, errors="replace") + "#jobs")

    def fits(self, shown: ShownJob, owner_tag: str, now: float) -> bool:
        """Return whether a job matches every filter."""
        job = shown.job
        return (
            self.q.lower() in job.name.lower()
            and self.status in ("", job.status)
            and self.account in ("", job.account)
            and self.region in ("", job.region)
            and (not self.type or any(self.type == i.type for i in job.instances))
            and (not self.owner or self.owner == (owner(job, owner_tag) or NO_OWNER))
            and (not self.reason or self.reason in reasons(job))
            and (not self.pool or holding(job).usage == WARM_POOL)
            and (not self.cost or _costs(shown, now) >= (_amount(self.cost) or 0.0))
        )


@dataclass(frozen=True, slots=True)
class JobQuery:
    """The job that a reader asks for, and how often the page shall refresh itself, as in `Query`."""

    account: str = ""
    region: str = ""
    name: str = ""
    refresh: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> JobQuery:
        """Return the known fields of a query, truncated."""
        account, region, name = (query.get(key, "")[:LONGEST] for key in ("account", "region", "name"))
        return cls(account, region, name, REFRESH if query.get("refresh") == REFRESH else "")

    def link(self, refresh: str = "") -> Whole:
        """Return the link to the page of the job, relative to the status page."""
        found = {"account": self.account, "region": self.region, "name": self.name}
        chosen = {**found, "refresh": refresh} if refresh else found
        return Whole("job?" + urlencode(chosen, errors="replace"))


_FIELDS = tuple(field.name for field in fields(Query))


class Selection(NamedTuple):
    """The jobs of one page, the number of all that match, and the position of the page."""

    jobs: list[ShownJob]
    matching: int
    page: int
    pages: int


def select(status: Status, query: Query) -> Selection:
    """Return the page of the matching jobs that a query asks for; the last one if it asks for a later one."""
    found = [one for one in status.jobs if query.fits(one, status.owner_tag, status.now)]
    found.sort(key=lambda one: (one.job.terminal, -(one.job.created or 0.0), one.job.name))
    if key := _keys(status).get(query.sort):
        found.sort(key=key)
    # Rounded up: -(-a // b).
    pages = max(1, -(-len(found) // ROWS))
    page = min(_number(query.page), pages)
    return Selection(found[(page - 1) * ROWS : page * ROWS], len(found), page, pages)


def owner(job: TrainingJob, tag: str) -> str:
    """Return the value of the tag that names the owner, "" if it is unknown."""
    for pairs in (job.cost_tags, job.tags):
        for key, value in pairs or ():
            if key == tag:
                return value
    return ""


def options(jobs: Sequence[ShownJob], query: Query, owner_tag: str) -> dict[str, list[Option]]:
    """Return the options of each select field. A chosen value stays one, also if no job has it any more."""
    every = [one.job for one in jobs]
    owners = sorted({owner(job, owner_tag) for job in every} - {""})
    found: dict[str, Iterable[tuple[str, str]]] = {
        "status": _same([*STATUSES, *sorted({job.status or "" for job in every} - {*STATUSES, ""})]),
        "owner": [*_same(owners), (NO_OWNER, "none")],
        "type": _same(sorted({i.type for job in every for i in job.instances})),
        "reason": [(reason, said(reason)) for reason in REASONS],
        "account": _same(sorted({job.account for job in every} - {""})),
        "region": _same(sorted({job.region for job in every} - {""})),
        "pool": [(POOL, "held")],
        "sort": [
            (value, owner_tag if value == "owner" else text)
            for value, text in ORDERS.items()
            if value and (value != "owner" or owner_tag)
        ],
    }
    return {name: _options(list(values), getattr(query, name)) for name, values in found.items()}


def filters(query: Query, owner_tag: str) -> list[Filter]:
    """Return the filters in use."""
    words = {
        "q": f"name contains {query.q}",
        "status": query.status,
        "owner": f"{owner_tag}: {'none' if query.owner == NO_OWNER else query.owner}",
        "type": query.type,
        "reason": said(query.reason),
        "cost": f"costs at least {query.cost}",
        "pool": "holds a warm pool",
        "account": query.account,
        "region": query.region,
    }
    return [Filter(text, query.link(**{name: ""})) for name, text in words.items() if getattr(query, name)]


def _options(values: list[tuple[str, str]], chosen: str) -> list[Option]:
    if chosen and chosen not in dict(values):
        values = [*values, (chosen, chosen)]
    return [Option(value, text, value == chosen) for value, text in values]


def _same(values: Iterable[str]) -> list[tuple[str, str]]:
    return [(value, value) for value in values]


def _keys(status: Status) -> dict[str, Callable[[ShownJob], Any]]:
    """Return the sort keys of the orders. Jobs without such a value come last, in the usual order."""
    now, tag = status.now, status.owner_tag
    return {
        "cost": lambda one: -_costs(one, now),
        "rate": lambda one: -_largest(money.cost_per_hour(one)),
        "waiting": lambda one: _or_last(waiting_since(one.job)),
        "deadline": lambda one: _or_last(deadline(one.job)),
        "owner": lambda one: _text_or_last(owner(one.job, tag)),
        "type": lambda one: _text_or_last(",".join(sorted(i.type for i in one.job.instances))),
        "reason": lambda one: _text_or_last(next(iter(reasons(one.job)), "")),
    }


def _costs(shown: ShownJob, now: float) -> float:
    found = money.so_far(shown, now)
    return _largest(found.amounts) if found else -1.0


def _largest(amounts: money.Amounts) -> float:
    # Below every cost, also one of 0, if it is unknown.
    return max(amounts.values(), default=-1.0)


def _or_last(time: float | None) -> float:
    return _LAST if time is None else time


def _text_or_last(text: str) -> tuple[bool, str]:
    return not text, text


def _number(text: str) -> int:
    """Return a page number from a query; 1 for anything else."""
    return max(1, int(text)) if text.isascii() and text.isdigit() and len(text) < 8 else 1


def _amount(text: str) -> float | None:
    """Return an amount of money from a query, None for anything else."""
    whole, _, cents = text.partition(".")
    digits = whole + cents
    return float(text) if digits.isascii() and digits.isdigit() and len(digits) < 12 else None
