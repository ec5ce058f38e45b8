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

from exporter.web.page import Status, render
from tests.http.fakes import FakeExporter, serving
from tests.http.pages import hostile, ordinary

pytestmark = pytest.mark.process

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars"),
    "--enable-logging=stderr",
)
WIDTHS = (320, 375, 414, 1100, 1101, 1280)
# The page in a frame of each width (a window is never narrower than 500 px), measured once they are laid out.
MEASURE = """
const measured = [];
addEventListener("load", () => {
  for (const frame of document.querySelectorAll("iframe")) {
    const page = frame.contentDocument, cell = page.querySelector("td");
    measured.push({
      width: frame.clientWidth,
      needs: page.documentElement.scrollWidth,
      lines: page.querySelector("td.status span").getClientRects().length,
      cell: page.defaultView.getComputedStyle(cell).display,
      text: parseFloat(page.defaultView.getComputedStyle(page.querySelector("input")).fontSize),
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


async def measure(status: Status, directory: Path) -> dict[int, dict[str, Any]]:
    """Return the results of MEASURE at each width."""
    page = html.escape(render(status, {}))
    frames = "".join(f'<iframe srcdoc="{page}" style="border:0;width:{width}px"></iframe>' for width in WIDTHS)
    wrapper = directory / "wrapper.html"
    wrapper.write_text(f'<!DOCTYPE html><meta charset="utf-8"><script>{MEASURE}</script><body>{frames}')
    printed, _ = await browse(directory, wrapper.as_uri(), "--dump-dom", "--window-size=1400,900")
    found = re.search(r"<body>(\[.*\])", printed)
    assert found, printed[:2000]
    return {frame["width"]: frame for frame in json.loads(found[1])}


@pytest.mark.parametrize("status", [ordinary(), hostile()], ids=["ordinary", "hostile"])
async def test_nothing_overflows_at_any_width(status: Status, tmp_path: Path) -> None:
    measured = await measure(status, tmp_path)
    assert {width: frame["needs"] for width, frame in measured.items()} == {width: width for width in WIDTHS}


async def test_a_phone_sees_cards_and_a_desk_tables(tmp_path: Path) -> None:
    measured = await measure(ordinary(), tmp_path)
    assert {width for width, frame in measured.items() if frame["cell"] == "table-cell"} == {1101, 1280}
    assert {frame["text"] for frame in measured.values()} == {16.0}  # Anything less makes a phone zoom in.
    assert {frame["lines"] for frame in measured.values()} == {1}


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
