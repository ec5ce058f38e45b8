"""Test that rendering a page of many jobs does not block the event loop."""

from __future__ import annotations

import threading

import aiohttp

from exporter.web import page
from tests.http.fakes import FakeExporter, serving, status


async def test_the_page_is_made_in_another_thread() -> None:
    threads = []

    def shown() -> page.Status:
        threads.append(threading.current_thread())
        return status()

    async with (
        serving(FakeExporter(shown=shown)) as port,
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}/") as answer,
    ):
        assert answer.status == 200
    assert threads
    assert threading.main_thread() not in threads
