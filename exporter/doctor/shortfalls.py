"""Says what failed, in how many targets, and which families it costs: one entry for each cause, not for each call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from exporter.config import Config
from exporter.doctor.findings import Findings, Section
from exporter.doctor.permissions import PERMISSIONS, Permission, lost

# How many targets are named; the tables of the others show the same.
_NAMED = 3


@dataclass(slots=True)
class Shortfall:
    """What failed in the same way: the titles of the targets, the operations that failed, and those that were asked."""

    code: str
    advice: str
    denied: bool
    targets: dict[str, None] = field(default_factory=dict)
    failed: dict[str, None] = field(default_factory=dict)
    asked: dict[str, None] = field(default_factory=dict)

    @property
    def permissions(self) -> list[Permission]:
        """Return what was not to be had. A call that the SDK made by itself, such as a login, costs what was asked."""
        return [PERMISSIONS[each] for each in self.failed if each in PERMISSIONS] or [
            PERMISSIONS[each] for each in self.asked
        ]


def shortfalls(sections: Sequence[Section], wanted: bool) -> dict[tuple[str, str], Shortfall]:
    """Return the failures of operations that the configuration needs, or of those that it does not, by their cause."""
    found: dict[tuple[str, str], Shortfall] = {}
    for section in sections:
        for reading in section.readings:
            for failure in reading.failures if reading.wanted == wanted else ():
                # Each denial names its policy; any other cause is told once for all operations.
                key = (failure.code, failure.operation if failure.denied else "")
                each = found.setdefault(key, Shortfall(failure.code, failure.advice, failure.denied))
                each.targets[section.title] = each.failed[failure.operation] = each.asked[reading.operation] = None
    return found


def missing(findings: Findings, config: Config) -> Iterator[str]:
    """Yield the lines that say whether everything is there, and what is not."""
    sections = findings.sections
    needed = shortfalls(sections, wanted=True)
    if not findings.complete:
        yield "**Not everything that this configuration needs is there:**"
        yield ""
        for failure in findings.state.failures:
            yield f"- {failure.operation}: {failure.code}: {failure.advice}. Without it the exporter polls nothing."
        yield from (_line(each, len(sections), config) for each in needed.values())
    else:
        yield "**Everything that this configuration needs is there.**"
    others = [each for cause, each in shortfalls(sections, wanted=False).items() if cause not in needed]
    if others:
        yield ""
        yield "Not there either, but this configuration does not need it:"
        yield ""
        yield from (_line(each, len(sections), config) for each in others)


def _line(shortfall: Shortfall, total: int, config: Config) -> str:
    """Return a shortfall as an entry of a list."""
    where, what = _titles(list(shortfall.targets), total), ", ".join(shortfall.failed)
    parts = [f"- {where}: {what}: {shortfall.code}: {shortfall.advice}."]
    for cause in shortfall.permissions if shortfall.denied else ():
        parts += [f"Allow `{cause.action}`, see deploy/iam/{cause.policy}.json."] if cause.policy else []
        parts += [f"It is for {cause.setting}."] if cause.setting else []
    costs = lost(shortfall.permissions, config)
    return " ".join([*parts, f"Lost without it: {costs}." if costs else "Nothing is lost without it."])


def _titles(titles: Sequence[str], total: int) -> str:
    if len(titles) == total > 1:
        return f"all {total} targets"
    more = len(titles) - _NAMED
    return ", ".join([*titles[:_NAMED], *([f"{more} more"] if more > 0 else [])])
