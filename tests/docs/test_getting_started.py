"""Test that "Without Docker" of docs/getting-started.md leads from a clone to dashboards with data and an alert.

The test follows it word by word. Only the intervals of Prometheus and its rules are shorter, and the ports are free
ones; `make getting-started` follows it with the intervals as they are, and writes the durations.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hack import getting_started
from hack.getting_started import Step, Walk, documented, steps


@pytest.mark.prometheus
@pytest.mark.long
@pytest.mark.timeout(600)
async def test_it_leads_from_nothing_to_dashboards_and_an_alert(tmp_path: Path) -> None:
    durations = await Walk(tmp_path / "sagemaker-exporter", hurried=True).durations()
    assert list(durations) == [step.title for step in steps()]
    assert list(durations)[-2:] == ["See an alert fire", getting_started.DASHBOARDS]


@pytest.mark.prometheus
@pytest.mark.timeout(600)
async def test_a_server_that_ends_is_reported_with_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = ("prometheus --config.file gone.yml", "promtool query instant http://localhost:9090 up")
    monkeypatch.setattr(getting_started, "steps", lambda: [Step("Broken", (), broken)])
    with pytest.raises(
        RuntimeError, match=r"(?s)prometheus --config.file gone.yml .* ended with .*gone.yml: no such file"
    ):
        await Walk(tmp_path / "clone", hurried=True).durations()


def test_the_document_says_how_long_each_step_took() -> None:
    assert list(documented()) == [step.title for step in steps()]
    assert all(re.fullmatch(r"[1-9]\d* s|under 1 s", duration) for duration in documented().values())


def test_the_durations_are_written_into_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = tmp_path / "getting-started.md"
    copy.write_text(getting_started.DOCUMENT.read_text())
    monkeypatch.setattr(getting_started, "DOCUMENT", copy)
    getting_started.write({step.title: number + 0.4 for number, step in enumerate(steps())})
    assert list(documented().values()) == ["under 1 s", *(f"{number} s" for number in range(1, len(steps())))]
