"""Test the status page: its content, and that no text in it can break out of it."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.web import page
from exporter.web.page import CONTENT_SECURITY_POLICY, JobStatus, StateRow, TargetRow, render, render_job
from tests.http.fakes import NOW, status
from tests.http.pages import HOSTILE, hostile, job, ordinary, phases
from tests.http.parsed import Page, shown


def test_it_says_what_is_polled_how_fresh_and_what_failed() -> None:
    text = shown(ordinary()).text
    for expected in (
        "Version 1.2.3",
        "Up for 1 d 2 h",
        "… not ready yet",
        "✗ last reload refused",
        "written 4 s ago",
        "✗ 2 write errors",
        "1 of 3",
        "us-east-1 123456789012 ✓ up",
        "last success 12 s ago , took 1.3 s next in 41 s",
        "23 active of 840 tracked",
        "eu-west-1 210987654321 ✗ down last success 1 h 1 min ago , took 10.0 s last poll 7 s ago",
        "✗ ThrottlingException in DescribeTrainingJob , 12 times, last 1 min ago : Rate exceeded",
        "✗ AccessDenied in ListTrainingJobs , 1 time, last 7 s ago",
        "region not known yet account not known yet … not tried yet last success never",
        "first sync: not begun",
        "5 of 12 read",
        "page 3, back to 2026-10-30",
        "40 of 40 jobs shown",
    ):
        assert expected in text


def test_a_calm_exporter_has_a_calm_page() -> None:
    target = TargetRow("123456789012", "us-east-1", True, NOW - 1, NOW - 1)
    text = shown(replace(status(targets=(target,)), state=StateRow())).text
    assert "✓ ready" in text
    assert "Configuration loaded defaults" in text
    assert "✗" not in text
    assert "No jobs match." in text


@pytest.mark.parametrize(("due", "said"), [(41.0, "next in 41 s"), (0.0, "next one due"), (-3.0, "next one due")])
def test_the_next_poll_is_never_in_the_past(due: float, said: str) -> None:
    assert said in shown(status(targets=(TargetRow("1", "r", True, NOW - 1, next_discovery=NOW + due),))).text


def test_totals_in_memory_are_not_said_to_be_written() -> None:
    text = shown(replace(status(), state=None)).text
    assert "Totals kept in memory, until the process ends Endpoints" in text


def test_totals_that_replicas_share_are_in_a_database() -> None:
    text = shown(replace(status(), state=StateRow(NOW - 4, shared=True))).text
    assert "Totals kept in a database that replicas share, written 4 s ago" in text


def test_without_targets_it_says_so() -> None:
    assert "No targets: none of the configured targets belongs to this shard." in shown(status()).text


def test_nothing_breaks_out_of_its_place() -> None:
    html = render(hostile(), {"q": HOSTILE[1], "status": HOSTILE[0], "account": HOSTILE[7], "region": HOSTILE[2]})
    Page(html)
    assert "\x00" not in html
    html.encode()
    assert len(html) < 200_000
    page = Page(render(hostile(), {}))
    assert HOSTILE[0] in page.texts
    assert next(t for t in page.texts if t.startswith("aaaa")) == "a" * 200 + "…"


@given(st.text(max_size=300), st.text(max_size=300))
def test_any_text_at_all(text: str, query: str) -> None:
    row = job(name=text, status=text, region=text, transitions=phases((text, 1.0)))
    page = render(status(row), {"q": query, "status": text, "region": query, "page": query})
    Page(page)
    page.encode()


def test_every_colour_of_a_template_has_a_style_and_no_style_is_for_nothing() -> None:
    folder = Path(page.__file__).parent
    templates = "".join(file.read_text() for file in sorted((folder / "templates").iterdir()))
    code = "".join(file.read_text() for file in sorted(folder.glob("*.py")) if file.name != "style.py")
    styled = set(re.findall(r"\.([a-z]+)(?=[\s,{:>])", page.STYLE))
    fixed = {name for names in re.findall(r'class="([^"{]*)"', templates) for name in names.split()}
    assert fixed <= styled
    named = fixed | set(re.findall(r'"([a-z]+)"', code))
    assert styled - named == set()


def test_templates_escape_everything_but_the_style() -> None:
    folder = Path(page.__file__).parent / "templates"
    text = "\n".join(file.read_text() for file in sorted(folder.iterdir()))
    assert re.findall(r"\S+\|\s*safe\b", text) == ["style|safe"]
    assert not re.search(r"autoescape|__html__|Markup", text)


def test_names_are_isolated_from_the_direction_around_them() -> None:
    page = shown(status(job(name=HOSTILE[4])))
    assert len(page.all("bdi")) == 1
    one = JobStatus("1", NOW, "1", "r", HOSTILE[4], job(name=HOSTILE[4]))
    assert len(Page(render_job(one)).all("bdi")) == 1


def test_no_script_no_style_attribute_and_nothing_from_elsewhere() -> None:
    html = render(ordinary(), {})
    assert not re.search(r"<script|\son\w+=|\sstyle=|\ssrc=|url\(|@import|<link|<img|<iframe", html)


def test_the_policy_allows_this_style_and_nothing_else() -> None:
    (style,) = re.findall(r"<style>(.*?)</style>", render(ordinary(), {}), re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert dict(part.strip().split(" ", 1) for part in CONTENT_SECURITY_POLICY.split(";")) == {
        "default-src": "'none'",
        "style-src": f"'sha256-{digest}'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }


def test_every_cell_is_labelled_and_every_table_has_its_roles() -> None:
    page = shown(ordinary())
    assert len(page.all("table")) == 2
    assert all(cell["data-label"] and cell["role"] == "cell" for cell in page.all("td"))
    assert all(table["role"] == "table" for table in page.all("table"))
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {table["aria-labelledby"] for table in page.all("table")} <= set(ids)
