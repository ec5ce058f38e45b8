"""Writes the findings as Markdown: the verdict first, then how AWS differs, then each target."""

from __future__ import annotations

from collections.abc import Sequence

from exporter.config import Config
from exporter.doctor.differences import differences
from exporter.doctor.findings import Findings, Reading, Section
from exporter.doctor.shortfalls import missing
from exporter.doctor.tables import table
from exporter.polling.api import LIST

_SAFE = "No account ID, name, path or other text of AWS's answers is in this report: it may be published."
FORM = "https://github.com/sagemaker-exporter/sagemaker-exporter/issues/new?template=doctor_report.yml"
_HEADER = ("operation", "needed", "result", "requests", "median ms", "found")
_SHORT_HEADER = ("target", "failed", "requests", "jobs", "AWS's clock")
# How many targets are shown in full. An issue has room for 65,536 characters: for this many and some 300 others.
_DETAILED = 8
# Seconds. A Date header is cut to whole seconds; AWS refuses signatures that are five minutes off.
_PRECISION, _REFUSED = 2.0, 300.0


def markdown(findings: Findings, config: Config) -> str:
    """Return the whole report."""
    lines = ["# sagemaker-exporter doctor", "", findings.versions, "", findings.settings, "", _SAFE, ""]
    lines += [*missing(findings, config), "", *differences(findings.sections)]
    detailed = _detailed(findings.sections)
    for section in detailed:
        lines += ["", f"## {section.title}", "", *table(_HEADER, map(_row, section.readings)), ""]
        lines += [f"Clock: {_clock(section)}.", _rates(section)]
    if others := [section for section in findings.sections if section not in detailed]:
        lines += ["", "## Other targets", "", *table(_SHORT_HEADER, map(_short, others))]
    lines += ["", "## State", "", *table(_HEADER, [_row(findings.state)])]
    if any(section.checked for section in findings.sections):
        lines += ["", f"Right or wrong, this report helps: {FORM}"]
    return "\n".join(lines)


def _detailed(sections: Sequence[Section]) -> list[Section]:
    """Return the sections that are shown in full, in their order: rather those where something failed."""
    by_failures = sorted(sections, key=lambda section: not _failed(section))
    chosen = by_failures[:_DETAILED]
    return [section for section in sections if section in chosen]


def _failed(section: Section) -> list[str]:
    return [reading.operation for reading in section.readings if reading.failures]


def _short(section: Section) -> tuple[str, ...]:
    found = next((reading.found for reading in section.readings if reading.operation == LIST), "")
    requests = str(sum(len(reading.seconds) for reading in section.readings))
    clock = "" if section.ahead is None else f"{section.ahead:+.0f} s"
    return section.title, ", ".join(_failed(section)) or "none", requests, found, clock


def _row(reading: Reading) -> tuple[str, ...]:
    requests = str(len(reading.seconds) or "")
    return (
        reading.operation,
        "yes" if reading.wanted else "no",
        _result(reading),
        f"{requests}, {reading.throttled} throttled" if reading.throttled else requests,
        "" if reading.milliseconds is None else str(reading.milliseconds),
        reading.found,
    )


def _result(reading: Reading) -> str:
    if not reading.failures:
        return "ok" if reading.done else f"not tried: {reading.untried}"
    many = reading.done or len(reading.failures) > 1
    parts = [f"{reading.done} ok"] if reading.done else []
    for failure, number in reading.failures.items():
        by = "" if failure.operation == reading.operation else f"{failure.operation}: "
        parts.append(f"{number} {by}{failure.code}" if many else f"{by}{failure.code}")
    return ", ".join(parts)


def _clock(section: Section) -> str:
    """Return how this machine's clock compares with AWS's."""
    if section.ahead is None:
        return "AWS's is unknown"
    seconds = round(abs(section.ahead))
    if abs(section.ahead) <= _PRECISION:
        return f"this machine's and AWS's agree within {_PRECISION:g} s"
    advice = "; set it, for example by NTP: AWS refuses requests" if seconds >= _REFUSED else ""
    return f"this machine's is {seconds} s {'behind' if section.ahead > 0 else 'ahead of'} AWS's{advice}"


def _rates(section: Section) -> str:
    requests = sum(len(reading.seconds) for reading in section.readings)
    throttled = sum(reading.throttled for reading in section.readings)
    rate = requests / section.seconds if section.seconds else 0.0
    return f"Rates: {requests} requests in {section.seconds:.1f} s, {rate:.1f} per second, {throttled} throttled."
