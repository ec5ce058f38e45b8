"""Test the response of each route over real sockets."""

from __future__ import annotations

import asyncio
import gzip
import logging
import threading

import pytest
from aiohttp import ClientSession

from exporter.config import Address
from exporter.web.page import CONTENT_SECURITY_POLICY, Status
from exporter.web.routes import ConnectionLimits, ReloadError, WebOptions
from tests.http.fakes import LOCAL, FakeExporter, connected, cut_off, exchange, get, serving, status
from tests.logged import text


async def ask(port: int, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    sent = {"Accept-Encoding": "identity"} | {key.replace("_", "-"): value for key, value in headers.items()}
    async with (
        ClientSession(auto_decompress=False) as session,
        session.request(method, f"http://127.0.0.1:{port}{path}", headers=sent) as answer,
    ):
        return answer.status, {key.lower(): value for key, value in answer.headers.items()}, await answer.read()


async def test_metrics_are_prometheus_text_unless_more_is_asked_for() -> None:
    exporter = FakeExporter()
    async with serving(exporter) as port:
        code, headers, body = await ask(port, "/metrics")
    assert (code, body) == (200, b"up 1\n")
    assert headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert headers["vary"] == "Accept, Accept-Encoding"
    assert "content-encoding" not in headers
    assert exporter.asked == [(False, False)]


async def test_openmetrics_and_gzip_by_negotiation() -> None:
    exporter = FakeExporter(chunks=[b"a 1\n", b"# EOF\n"])
    async with serving(exporter) as port:
        _, headers, body = await ask(
            port, "/metrics", Accept="application/openmetrics-text;version=1.0.0", Accept_Encoding="gzip"
        )
    assert headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert headers["content-encoding"] == "gzip"
    assert gzip.decompress(body) == b"a 1\n# EOF\n"
    assert exporter.asked == [(True, True)]


async def test_head_of_metrics_costs_no_rendering() -> None:
    exporter = FakeExporter()
    async with serving(exporter) as port:
        code, headers, body = await ask(port, "/metrics", "HEAD")
    assert (code, body, exporter.asked) == (200, b"", [])
    assert headers["content-type"].startswith("text/plain; version=0.0.4")


async def test_an_exposition_without_lines_is_whole() -> None:
    async with serving(FakeExporter(chunks=[])) as port:
        assert (await ask(port, "/metrics"))[::2] == (200, b"")


async def test_the_telemetry_path_can_be_chosen() -> None:
    async with serving(options=WebOptions(Address("127.0.0.1", 0), "/sagemaker/metrics")) as port:
        assert (await ask(port, "/sagemaker/metrics"))[0] == 200
        assert (await ask(port, "/metrics"))[0] == 404


async def test_an_error_before_the_first_piece_is_a_500_that_tells_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(FakeExporter(chunks=[ValueError("secret")])) as port:
        code, headers, body = await ask(port, "/metrics")
    assert (code, headers["content-type"]) == (500, "text/plain; charset=utf-8")
    assert body == b"Internal error; see the log of the exporter.\n"
    (record,) = (r for r in caplog.records if r.name.startswith("exporter"))
    assert record.getMessage() == "a request failed"
    assert 'method=GET path=/metrics reason="ValueError at FakeExporter.metrics:' in text(caplog)
    assert "secret" not in text(caplog)
    assert record.exc_info is None


@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_an_error_half_way_never_looks_like_an_end(version: str, caplog: pytest.LogCaptureFixture) -> None:
    exporter = FakeExporter(chunks=[b"a 1\n", OSError("half way")])
    async with serving(exporter) as port:
        async with connected(port) as (reader, writer):
            writer.write(get("/metrics", version=version))
            assert await cut_off(reader)
        assert (await ask(port, "/healthz"))[0] == 200
    assert exporter.ended.is_set()
    assert 'method=GET path=/metrics reason="OSError at ' in text(caplog)


async def test_a_client_that_leaves_ends_its_scrape_quietly(caplog: pytest.LogCaptureFixture) -> None:
    exporter = FakeExporter(chunks=[bytes(1_000_000)] * 100)
    async with serving(exporter) as port:
        async with connected(port) as (reader, writer):
            writer.write(get("/metrics"))
            await reader.read(1)
            writer.transport.abort()
        async with asyncio.timeout(5):
            await exporter.ended.wait()
        assert (await ask(port, "/healthz"))[0] == 200
    assert [r for r in caplog.records if r.levelno >= logging.WARNING] == []


async def test_a_scrape_that_takes_too_long_is_cut_off() -> None:
    never: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    exporter = FakeExporter(chunks=[b"a 1\n", never])
    async with serving(exporter, limits=ConnectionLimits(answer_timeout=0.2)) as port:
        assert not (await exchange(port, get("/metrics"))).endswith(b"0\r\n\r\n")
    assert exporter.ended.is_set()


async def test_no_more_scrapes_at_a_time_than_allowed() -> None:
    held: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    exporter = FakeExporter(chunks=[held])
    async with serving(exporter, limits=ConnectionLimits(requests=1)) as port:
        first = asyncio.create_task(ask(port, "/metrics"))
        await exporter.begun.wait()
        code, _, body = await ask(port, "/metrics")
        assert (await ask(port, "/healthz"))[0] == 200
        assert (await ask(port, "/"))[0] == 200
        held.set_result(b"a 1\n")
        assert (await first)[::2] == (200, b"a 1\n")
        assert (await ask(port, "/metrics"))[0] == 200
    assert code == 503
    assert body == b"Limit of concurrent requests reached (1), try again later.\n"


async def test_pages_have_a_limit_of_their_own() -> None:
    asked, go = threading.Event(), threading.Event()

    def shown() -> Status:
        asked.set()
        assert go.wait(60)
        return status()

    async with serving(FakeExporter(shown=shown), limits=ConnectionLimits(pages=1, requests=1)) as port:
        first = asyncio.create_task(ask(port, "/"))
        assert await asyncio.to_thread(asked.wait, 10)
        code, _, body = await ask(port, "/")
        assert [(await ask(port, path))[0] for path in ("/metrics", "/healthz", "/readyz")] == [200] * 3
        go.set()
        assert (await first)[0] == 200
        assert (await ask(port, "/"))[0] == 200
    assert code == 503
    assert body == b"Limit of concurrent requests reached (1), try again later.\n"


async def test_too_many_different_pages_are_refused() -> None:
    go = threading.Event()

    def shown() -> Status:
        assert go.wait(60)
        return status()

    async with serving(FakeExporter(shown=shown)) as port:
        pages = [asyncio.create_task(ask(port, f"/?q={number}&x={number}")) for number in range(20)]
        async with asyncio.timeout(60):
            while sum(page.done() for page in pages) < 4:
                await asyncio.sleep(0.001)
        go.set()
        codes = [code for code, _, _ in await asyncio.gather(*pages)]
    assert sorted(codes) == [200] * 16 + [503] * 4


async def test_only_the_fields_of_the_form_make_another_page() -> None:
    made = list[None]()

    def shown() -> Status:
        made.append(None)
        return status()

    async with serving(FakeExporter(shown=shown), limits=ConnectionLimits(page_seconds=60)) as port:
        for query in ("", "?", "?q=", "?nonsense=1", "?nonsense=2", "?q=x", "?q=x&nonsense=3"):
            assert (await ask(port, f"/{query}"))[0] == 200
    assert len(made) == 2


async def test_healthz_says_ok_and_readyz_what_is_waited_for() -> None:
    exporter = FakeExporter(is_ready=False)
    async with serving(exporter) as port:
        assert (await ask(port, "/healthz"))[::2] == (200, b"ok\n")
        assert (await ask(port, "/readyz"))[::2] == (503, b"waiting for 123456789012 us-east-1\n")
        exporter.is_ready = True
        assert (await ask(port, "/readyz"))[::2] == (200, b"ready\n")


async def test_reload_needs_the_lifecycle_api() -> None:
    exporter = FakeExporter()
    async with serving(exporter, WebOptions(LOCAL.listen_address)) as port:
        code, _, body = await ask(port, "/-/reload", "POST")
    assert (code, body, exporter.reloads) == (403, b"Lifecycle API is not enabled.\n", 0)


async def test_reload_by_post_and_put_only() -> None:
    exporter = FakeExporter()
    async with serving(exporter) as port:
        assert (await ask(port, "/-/reload", "POST"))[0] == 200
        assert (await ask(port, "/-/reload", "PUT"))[0] == 200
        code, headers, _ = await ask(port, "/-/reload")
    assert (code, headers["allow"], exporter.reloads) == (405, "POST,PUT", 2)


async def test_a_refused_reload_says_why() -> None:
    async with serving(FakeExporter(reload_error=ReloadError("config.yaml:3: no such key"))) as port:
        code, _, body = await ask(port, "/-/reload", "POST")
    assert (code, body) == (500, b"failed to reload config: config.yaml:3: no such key\n")


async def test_an_unforeseen_error_of_a_reload_tells_nothing() -> None:
    async with serving(FakeExporter(reload_error=KeyError("secret"))) as port:
        code, _, body = await ask(port, "/-/reload", "POST")
    assert (code, body) == (500, b"Internal error; see the log of the exporter.\n")


async def test_the_page_comes_under_a_strict_policy() -> None:
    async with serving() as port:
        code, headers, body = await ask(port, "/?q=none")
    assert (code, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert b'value="none"' in body


async def test_a_page_that_fails_is_a_500() -> None:
    def broken() -> Status:
        raise RuntimeError

    async with serving(FakeExporter(shown=broken)) as port:
        assert (await ask(port, "/"))[0] == 500


@pytest.mark.parametrize(
    ("path", "code"), [("/", 200), ("/metrics", 200), ("/healthz", 200), ("/nowhere", 404), ("/favicon.ico", 204)]
)
async def test_headers_of_every_answer(path: str, code: int) -> None:
    async with serving() as port:
        got, headers, body = await ask(port, path)
    assert got == code
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert headers["server"] == "sagemaker-exporter"
    assert "default-src 'none'" in headers["content-security-policy"]
    if code == 404:
        assert (headers["content-type"], body) == ("text/plain; charset=utf-8", b"404: Not Found")
