"""Test the exporter behind a proxy: every route under a prefix, and links that work whatever the proxy strips."""

from __future__ import annotations

import html
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
from aiohttp import ClientSession, web

from exporter.config import Address
from exporter.web.page import JobStatus, Status, TargetRow, render, render_job
from exporter.web.routes import WebOptions
from tests.http.fakes import FakeExporter, serving
from tests.http.pages import job, ordinary
from tests.http.parsed import Page
from tests.http.test_page_in_browser import browse

LOCAL = Address("127.0.0.1", 0)
ROUTES = ("/metrics", "/healthz", "/readyz", "/favicon.ico", "/")


async def ask(port: int, path: str, method: str = "GET") -> tuple[int, str, str]:
    async with (
        ClientSession() as session,
        session.request(method, f"http://127.0.0.1:{port}{path}", allow_redirects=False) as answer,
    ):
        return answer.status, answer.headers.get("Location", ""), await answer.text()


@pytest.mark.parametrize("prefix", ["/sagemaker", "/a/b", "/api/v1/services/http:sm:9841/proxy", "/x,z=1+2~_.-"])
async def test_every_route_is_under_the_prefix(prefix: str) -> None:
    exporter = FakeExporter()
    async with serving(exporter, WebOptions(LOCAL, lifecycle=True, prefix=prefix)) as port:
        for path in ROUTES:
            assert (await ask(port, prefix + path))[0] in (200, 204), path
        assert (await ask(port, f"{prefix}/-/reload", "POST"))[0] == 200
        for path in (*ROUTES[:-1], "/-/reload", f"{prefix}x/metrics"):
            assert (await ask(port, path))[0] == 404, path
    assert exporter.reloads == 1


async def test_the_telemetry_path_is_under_the_prefix_too() -> None:
    async with serving(options=WebOptions(LOCAL, "/my/metrics", prefix="/sagemaker")) as port:
        assert (await ask(port, "/sagemaker/my/metrics"))[0] == 200
        assert (await ask(port, "/my/metrics"))[0] == 404


@pytest.mark.parametrize(
    ("external", "path", "location"),
    [
        (None, "/", "/a/b/"),
        (None, "/a/b", "/a/b/"),
        (None, "/a/b?q=x%0d%0ay", "/a/b/?q=x%0D%0Ay"),
        (None, "/?page=2", "/a/b/?page=2"),
        ("/a/b", "/", "/a/b/"),
        ("/a/b", "/a/b", "/a/b/"),
        ("/c", "/a/b", "/c/"),
        ("", "/a/b", "/"),
    ],
)
async def test_what_is_not_quite_the_page_leads_to_it(external: str | None, path: str, location: str) -> None:
    async with serving(options=WebOptions(LOCAL, prefix="/a/b", external_path=external)) as port:
        code, found, _ = await ask(port, path)
    assert code == 302
    assert urljoin(f"http://x{path}", found) == f"http://x{location}"


async def test_without_a_prefix_nothing_leads_elsewhere() -> None:
    async with serving() as port:
        assert (await ask(port, "/"))[0] == 200


def links(text: str) -> set[str]:
    return {a["href"] for a in Page(text).all("a") if not a["href"].startswith("https://console.")}


@asynccontextmanager
async def stripped(port: int, prefix: str = "/sm", framed: str = "/?q=job&amp;status=Failed") -> AsyncIterator[int]:
    """Serve what is on `port` under a prefix, like a proxy that strips it.

    The Content-Security-Policy of the page is stripped too, because it forbids the frame that the test uses.
    """
    frame = f'<iframe src="{prefix}{framed}"></iframe>'
    wrapper = f'<!DOCTYPE html><meta charset="utf-8"><script>{FOLLOW}</script><body>{frame}'

    async def forward(request: web.Request) -> web.Response:
        if request.path == "/wrapper":
            return web.Response(text=wrapper, content_type="text/html")
        if not request.path.startswith(prefix):
            return web.Response(status=404)
        url = f"http://127.0.0.1:{port}{request.path_qs.removeprefix(prefix) or '/'}"
        async with ClientSession() as session, session.get(url, allow_redirects=False) as answer:
            headers = {key: answer.headers[key] for key in ("Content-Type", "Location") if key in answer.headers}
            return web.Response(status=answer.status, body=await answer.read(), headers=headers)

    app = web.Application()
    app.router.add_get("/{tail:.*}", forward)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


# Follows every link of the page in the frame, sends its form, and says what came of each.
FOLLOW = """
addEventListener("load", async () => {
  const page = document.querySelector("iframe").contentDocument, form = page.querySelector("form");
  const urls = [...page.querySelectorAll("a")].map(a => a.href);
  if (form) urls.push(form.action.split("#")[0].split("?")[0] + "?" + new URLSearchParams(new FormData(form)));
  const own = urls.filter(url => url.startsWith(location.origin)), found = {};
  for (const url of own) found[new URL(url).pathname + new URL(url).search] = (await fetch(url)).status;
  document.body.textContent = JSON.stringify(found);
});
"""


def shown(root: str = "") -> Status:
    waiting = job(5, secondary_status="Starting", waiting="pending", started=None)
    failing = TargetRow("1", "r", up=True, failed={"ClientError": 1})
    status = ordinary(300)
    return replace(
        status, root=root, jobs=(*status.jobs, waiting), targets=(*status.targets, failing), owner_tag="team"
    )


JOB = "job?account=123456789012&amp;region=us-east-1&amp;name=job-00001"


@pytest.mark.process
async def test_the_browser_finds_every_link_behind_a_proxy_that_strips_the_prefix(tmp_path: Path) -> None:
    async with serving(FakeExporter(shown=shown)) as port, stripped(port) as proxy:
        url = f"http://127.0.0.1:{proxy}/wrapper"
        printed, _ = await browse(tmp_path, url, "--dump-dom", "--virtual-time-budget=20000")
    found = re.search(r"<body>(\{.*\})", printed)
    assert found, printed[:2000]
    statuses = json.loads(html.unescape(found[1]))
    assert {"/sm/metrics", "/sm/healthz", "/sm/readyz", "/sm/", "/sm/job"} <= {urlsplit(url).path for url in statuses}
    assert {url: status for url, status in statuses.items() if status != 200} == {}


@pytest.mark.process
async def test_the_browser_finds_every_link_of_the_page_of_a_job_too(tmp_path: Path) -> None:
    async with serving(FakeExporter(shown=shown)) as port, stripped(port, framed=f"/{JOB}") as proxy:
        url = f"http://127.0.0.1:{proxy}/wrapper"
        printed, _ = await browse(tmp_path, url, "--dump-dom", "--virtual-time-budget=20000")
    found = re.search(r"<body>(\{.*\})", printed)
    assert found, printed[:2000]
    statuses = json.loads(html.unescape(found[1]))
    assert {urlsplit(url).path for url in statuses} == {"/sm/", "/sm/job"}
    assert set(statuses.values()) == {200}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "root", "pages"),
    [
        (WebOptions(LOCAL), "", ["/sm/"]),
        (WebOptions(LOCAL, external_path="/sm"), "/sm/", ["/sm", "/sm/"]),
        (WebOptions(LOCAL, prefix="/inner"), "", ["/sm/inner", "/sm/inner/", "/sm/"]),
        (
            WebOptions(LOCAL, prefix="/inner", external_path="/sm/inner"),
            "/sm/inner/",
            ["/sm/inner", "/sm/inner/", "/sm/"],
        ),
    ],
)
async def test_links_are_right_from_wherever_the_page_is_reached(
    options: WebOptions, root: str, pages: list[str]
) -> None:
    exporter = FakeExporter(shown=lambda: shown(root))
    async with serving(exporter, options) as port, stripped(port) as proxy, ClientSession() as session:
        for page in pages:
            async with session.get(f"http://127.0.0.1:{proxy}{page}") as answer:
                assert answer.status == 200
                found = links(await answer.text())
                assert any("job?" in link for link in found)
                for link in found:
                    async with session.get(urljoin(str(answer.url), link)) as followed:
                        assert followed.status == 200, (page, link)
                        back = links(await followed.text()) if "job?" in link else set()
                        homes = {urljoin(str(followed.url), each) for each in back if "job?" not in each}
                        assert homes <= {urljoin(str(answer.url), root or ".")}


def test_no_link_of_the_page_is_absolute_unless_somebody_said_where_it_is() -> None:
    assert not any(link.startswith("/") or ":" in link for link in links(render(shown(), {})))
    assert {"/sm/metrics", "/sm/healthz", "/sm/readyz"} <= links(render(shown("/sm/"), {}))
    one = JobStatus("1", 0.0, "1", "r", "j", job(1))
    assert not any(link.startswith("/") or ":" in link for link in links(render_job(one)))
    assert all(link.startswith(("/sm/", "?", "#")) for link in links(render(shown("/sm/"), {})))
    assert all(link.startswith("/sm/") for link in links(render_job(replace(one, root="/sm/"))))
