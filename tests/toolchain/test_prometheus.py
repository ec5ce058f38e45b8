"""Test the Prometheus that other tests rely on: it scrapes, responds, reports errors and stops."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from tests.conftest import PrometheusFactory
from tests.prometheus import Outcome, Sample, promtool, running, scraping

EXPOSITION = '# HELP answer What it is.\n# TYPE answer gauge\nanswer{of="all"} 42\nanswer{of="none"} NaN\n'


@pytest.fixture
async def target() -> AsyncIterator[str]:
    """Serve something to scrape, and return its `host:port`."""

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(text=EXPOSITION, content_type="text/plain")

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_it_scrapes_and_answers(prometheus: PrometheusFactory, target: str) -> None:
    async with prometheus(scraping(target, interval="200ms")) as server:
        begin = time.time()
        samples = await server.wait_until(lambda: server.query('answer{of="all"}'))
        series = await server.query_range('answer{of="all"}', begin - 1, time.time() + 1, 0.2)
        health = [each["health"] for each in await server.targets()]
        scalar = await server.query("scalar(vector(1))", time=begin)
    labels = {"__name__": "answer", "of": "all", "job": "sagemaker", "instance": target}
    assert samples == [Sample(labels, 42)]
    assert [each.labels for each in series] == [labels]
    assert {value for _, value in series[0].points} == {42}
    assert health == ["up"]
    assert scalar == [Sample({}, 1)]


async def test_two_run_at_once_on_ports_of_their_own(tmp_path: Path, prometheus: PrometheusFactory) -> None:
    (tmp_path / "second").mkdir()
    async with prometheus(scraping()) as one, running(scraping(), tmp_path / "second") as two:
        assert one.url != two.url
        assert await one.query("vector(1)")
        assert await two.query("vector(2)")


async def test_waiting_in_vain_tells_what_was_wrong(prometheus: PrometheusFactory) -> None:
    async with prometheus(scraping("127.0.0.1:1", interval="200ms")) as server:
        await server.wait_until(lambda: server.query("up == 0"))
        with pytest.raises(AssertionError, match=r"not within 0\.1 s.*connection refused"):
            await server.wait_until(lambda: server.query("up == 1"), within=0.1)
        with pytest.raises(AssertionError, match="parse error"):
            await server.query("up ==")


async def test_a_bad_configuration_fails_with_prometheus_own_words(prometheus: PrometheusFactory) -> None:
    with pytest.raises(AssertionError, match="field scrape_konfigs not found"):
        async with prometheus("scrape_konfigs: []"):
            pass


async def test_it_is_gone_afterwards(prometheus: PrometheusFactory) -> None:
    async with prometheus(scraping()) as server:
        host, port = server.url.removeprefix("http://").split(":")
        begin = time.monotonic()
    assert time.monotonic() - begin < 5
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(host, int(port))


@pytest.mark.prometheus
@pytest.mark.parametrize("text", [EXPOSITION, EXPOSITION.encode()], ids=["str", "bytes"])
def test_promtool_takes_text(text: str | bytes) -> None:
    outcome: Outcome = promtool("check", "metrics", stdin=text)
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, "", "")


@pytest.mark.prometheus
def test_promtool_tells_what_is_wrong() -> None:
    outcome = promtool("check", "metrics", stdin="answer 42\n")
    assert outcome.returncode != 0
    assert "no help text" in outcome.stderr + outcome.stdout
