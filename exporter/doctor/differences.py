"""Says where AWS differs from its own model, and from what docs/totals.md assumes, over all targets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from exporter.doctor.assumptions import ASSUMPTIONS
from exporter.doctor.conformity import Deviation
from exporter.doctor.findings import Section
from exporter.doctor.permissions import PERMISSIONS
from exporter.doctor.tables import table

# In the order in which they are told.
_CHANGES = ("at the end", "within a minute", "within an hour", "later", "unknown")


def differences(sections: Sequence[Section]) -> Iterator[str]:
    """Yield the lines about AWS's model, statuses, and assumptions."""
    yield from _of_model(sections)
    yield from _of_statuses(sections)
    yield from _of_ended_jobs(sections)


def _of_model(sections: Sequence[Section]) -> Iterator[str]:
    checked: Counter[str] = Counter()
    found: Counter[tuple[str, Deviation]] = Counter()
    for section in sections:
        checked.update(section.checked)
        found.update(section.deviations)
    if not checked:
        yield "No response could be compared with AWS's model."
        return
    counts = ", ".join(f"{checked[operation]} {operation}" for operation in PERMISSIONS if checked[operation])
    yield f"Compared with AWS's model, strictly: {counts}. " + ("Differences:" if found else "No difference.")
    if found:
        yield ""
    for (operation, (path, problem)), number in sorted(found.items()):
        yield f"- {operation}: `{path or 'the answer'}` {problem} (in {number} of {checked[operation]})"


def _of_statuses(sections: Sequence[Section]) -> Iterator[str]:
    strange = sum(section.strange for section in sections)
    lacking = sorted({status for section in sections for status in section.lacking})
    if strange or lacking:
        yield ""
    if strange:
        yield (
            f"Jobs with a status that this version does not know: {strange}. "
            "`sagemaker_exporter_unknown_status_total` of the running exporter names it."
        )
    if lacking:
        yield f"Statuses in AWS's model that this version does not know: {', '.join(lacking)}."


def _of_ended_jobs(sections: Sequence[Section]) -> Iterator[str]:
    holds: Counter[str] = Counter()
    broken: dict[str, Counter[str]] = {each.text: Counter() for each in ASSUMPTIONS}
    changes: Counter[str] = Counter()
    for section in sections:
        changes.update(section.changes)
        for tally in section.tallies:
            holds[tally.text] += tally.holds
            broken[tally.text].update(tally.broken_by)
    yield ""
    if not changes:
        yield "No ended job was read: what docs/totals.md assumes could not be checked."
        return
    yield f"What docs/totals.md assumes, asked of ended jobs: {changes.total()}"
    yield ""
    rows = ([text, str(holds[text] or "-"), _kinds(kinds)] for text, kinds in broken.items())
    yield from table(["assumption", "holds", "does not"], rows)
    yield ""
    told = ", ".join(f"{changes[words]} {words}" for words in _CHANGES if changes[words])
    waiting = sum(section.unbilled for section in sections)
    yield f"LastModifiedTime of these jobs is, after their end: {told}. Waiting for their bill: {waiting}."


def _kinds(kinds: Counter[str]) -> str:
    return ", ".join(f"{number} {kind}" for kind, number in kinds.items()) or "-"
