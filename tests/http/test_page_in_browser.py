"""Test the page in a real browser: nothing overflows on a phone, and the policy permits the style sheet."""

from __future__ import annotations

import asyncio
import html
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from exporter.web.page import JobStatus, render, render_job
from tests.http.fakes import NOW, FakeExporter, serving
from tests.http.pages import full_job, hostile, ordinary, wordy

pytestmark = pytest.mark.process

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars"),
    "--enable-logging=stderr",
)
PHONES, TABLES = (320, 375, 390, 414), (1000, 1024, 1280, 1400)
WIDTHS = (*PHONES, 768, 999, *TABLES)
# The page in a frame of each width (a window is never narrower than 500 px), measured once they are laid out.
MEASURE = """
// Words that take more than one line, apart from those that nobody sees. A line may end after a hyphen or a slash.
function broken(page) {
  const found = [], walker = page.createTreeWalker(page.body, NodeFilter.SHOW_TEXT), range = page.createRange();
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (node.parentElement.closest("title, .unseen, select, style")) continue;
    for (const word of node.data.matchAll(/[^\\s\u200b\\/-]+/g)) {
      range.setStart(node, word.index);
      range.setEnd(node, word.index + word[0].length);
      if (new Set([...range.getClientRects()].map(one => Math.round(one.top))).size > 1) found.push(word[0]);
    }
  }
  return found;
}
const measured = [];
addEventListener("load", () => {
  for (const frame of document.querySelectorAll("iframe")) {
    const page = frame.contentDocument, style = page.defaultView.getComputedStyle.bind(page.defaultView);
    const inputs = [...page.querySelectorAll("input:not([type=checkbox])")].map(one => parseFloat(style(one).fontSize));
    measured.push({
      width: frame.clientWidth,
      needs: page.documentElement.scrollWidth,
      broken: broken(page),
      cell: style(page.querySelector("td")).display,
      text: Math.min(16, ...inputs),
      first: page.querySelector("tbody th a")?.getBoundingClientRect().bottom,
      form: style(page.querySelector("form") || page.body).display,
    });
  }
  document.body.textContent = JSON.stringify(measured);
});
"""


def browser() -> str:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"no browser here, looked for {', '.join(BROWSERS)}: apt-get install chromium")
    return found


async def browse(directory: Path, url: str, *flags: str) -> tuple[str, str]:
    """Return what the browser prints, and what it logs."""
    process = await asyncio.create_subprocess_exec(
        *(browser(), *FLAGS, f"--user-data-dir={directory / 'profile'}", *flags, url),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(240):
            printed, logged = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return printed.decode(), logged.decode(errors="replace")


async def measure(text: str, directory: Path) -> dict[int, dict[str, Any]]:
    """Return the results of MEASURE for a page at each width."""
    page = html.escape(text)
    frames = "".join(f'<iframe srcdoc="{page}" style="border:0;width:{width}px"></iframe>' for width in WIDTHS)
    wrapper = directory / "wrapper.html"
    wrapper.write_text(f'<!DOCTYPE html><meta charset="utf-8"><script>{MEASURE}</script><body>{frames}')
    printed, _ = await browse(directory, wrapper.as_uri(), "--dump-dom", "--window-size=1400,900")
    found = re.search(r"<body>(\[.*\])", printed)
    assert found, printed[:2000]
    return {frame["width"]: frame for frame in json.loads(found[1])}


HOSTILE_JOB = JobStatus("1", NOW, "1", "r", "j", hostile().jobs[6])
PAGES = [render(ordinary(), {}), render(hostile(), {}), render_job(full_job()), render_job(HOSTILE_JOB)]


@pytest.mark.parametrize("text", PAGES, ids=["ordinary", "hostile", "job", "hostile-job"])
async def test_nothing_overflows_at_any_width(text: str, tmp_path: Path) -> None:
    measured = await measure(text, tmp_path)
    assert {width: frame["needs"] for width, frame in measured.items()} == {width: width for width in WIDTHS}


@pytest.mark.parametrize("text", [render(wordy(), {}), render_job(full_job())], ids=["status", "job"])
async def test_no_word_is_broken_in_the_middle(text: str, tmp_path: Path) -> None:
    measured = await measure(text, tmp_path)
    assert {width: frame["broken"] for width, frame in measured.items()} == {width: [] for width in WIDTHS}


async def test_a_word_that_is_broken_would_be_found(tmp_path: Path) -> None:
    measured = await measure(render(hostile(), {}), tmp_path)
    assert any("a" * 100 in word for word in measured[320]["broken"])


async def test_a_phone_sees_cards_and_a_desk_tables(tmp_path: Path) -> None:
    measured = await measure(render(ordinary(), {}), tmp_path)
    assert {width for width, frame in measured.items() if frame["cell"] == "table-cell"} == set(TABLES)
    # Anything less makes a phone zoom in.
    assert {frame["text"] for width, frame in measured.items() if width not in TABLES} == {16.0}
    # A phone folds the form, so that its first screen, of some 660 px, has a job.
    assert {width for width, frame in measured.items() if frame["form"] == "none"} == set(PHONES)
    assert [measured[width]["first"] for width in PHONES if measured[width]["first"] > 660] == []


async def test_the_browser_takes_the_page_under_its_policy(tmp_path: Path) -> None:
    picture = tmp_path / "page.png"
    async with serving(FakeExporter(shown=ordinary)) as port:
        flags = (f"--screenshot={picture}", "--window-size=500,900")
        _, logged = await browse(tmp_path, f"http://127.0.0.1:{port}/?q=job&status=Failed", *flags)
    assert "Content Security Policy" not in logged
    assert picture.read_bytes().startswith(b"\x89PNG")


async def test_the_browser_would_tell_if_the_policy_were_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exporter.web.page.CONTENT_SECURITY_POLICY", "default-src 'none'")
    async with serving(FakeExporter(shown=ordinary)) as port:
        _, logged = await browse(tmp_path, f"http://127.0.0.1:{port}/", f"--screenshot={tmp_path / 'page.png'}")
    assert "Content Security Policy" in logged
