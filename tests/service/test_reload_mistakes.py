"""Test that an unexpectedly failing reload logs one line, shows in the metrics, and changes nothing."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

from exporter.app import App
from exporter.clock import SystemClock
from exporter.config import Config
from exporter.service import Service
from exporter.serving import serve_until_stopped
from exporter.web.routes import ReloadError
from tests import virtual_time
from tests.http.test_routes import ask
from tests.logged import lines
from tests.sagemaker import Region, jobs
from tests.service.regions import Regions, config, known, serving

FAILED = "sagemaker_exporter_config_reload_success 0\n"


def mistake(*_: object, **__: object) -> Any:
    raise KeyError("arn:aws:iam::1:role/secret")


async def broken(*_: object) -> Any:
    mistake()


class Loading:
    """Return the configuration, but fail those loads that are `wrong`."""

    def __init__(self, *wrong: int) -> None:
        self._wrong, self.number = wrong, 0

    def __call__(self) -> Config:
        self.number += 1
        return mistake() if self.number in self._wrong else config()


def in_loading(patch: pytest.MonkeyPatch) -> None:
    """Fail the second load, see below."""


def in_wiring(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(App, "__init__", mistake)


def in_waiting(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(App, "incomplete", mistake)


def in_polling(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(App, "run", broken)


def in_taking_over(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(App, "take_over", mistake)


async def text(service: Service) -> str:
    return b"".join([piece async for piece in service.metrics(openmetrics=False, gzip=False)]).decode()


@pytest.mark.parametrize("put_in", [in_loading, in_wiring, in_waiting, in_polling, in_taking_over])
def test_a_mistake_refuses_the_reload_and_changes_nothing(
    put_in: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        reported = list[dict[str, Any]]()
        asyncio.get_running_loop().set_exception_handler(lambda _, what: reported.append(what))
        region = Region(*jobs(20))
        monkeypatch.setattr("exporter.app.Sessions", lambda *_: Regions({"us-east-1": region}, known))
        async with serving(Loading(2) if put_in is in_loading else config) as service:
            service.ended = asyncio.get_running_loop().create_future()
            await asyncio.sleep(60)
            before, tasks = service.config, asyncio.all_tasks()
            with monkeypatch.context() as patch:
                put_in(patch)
                with pytest.raises(ReloadError, match=r"^internal error \(KeyError at .*\), please report it$"):
                    await service.reload()
            assert FAILED in await text(service)
            assert service.config is before
            await asyncio.sleep(1)
            assert asyncio.all_tasks() == tasks
            since = region.clock.monotonic()
            await asyncio.sleep(60)
            assert len(region.described(since)) == 20
            assert not service.ended.done()
            await service.reload()
            assert service.config is not before
            assert FAILED not in await text(service)
        assert reported == []

    caplog.set_level(logging.WARNING)
    virtual_time.run(scenario())
    (line,) = lines(caplog)
    assert line.startswith('msg="configuration not reloaded; keeping the previous one" problem="internal error (Key')
    assert "secret" not in line


async def test_sighup_and_post_survive_a_mistake(caplog: pytest.LogCaptureFixture) -> None:
    reported = list[dict[str, Any]]()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, what: reported.append(what))
    load, bound = Loading(2, 3), loop.create_future()

    def file() -> Config:
        loaded = load()
        return loaded.model_copy(
            update={"web": config(web={"listen_address": "127.0.0.1:0"}).web, "targets": ()}, deep=False
        )

    serving = asyncio.create_task(serve_until_stopped(Service(file, SystemClock()), True, None, bound.set_result))
    ((_, port),) = await bound
    os.kill(os.getpid(), signal.SIGHUP)
    async with asyncio.timeout(60):
        while load.number < 2:
            await asyncio.sleep(0.01)
    code, _, body = await ask(port, "/-/reload", "POST")
    assert code == 500
    assert body.startswith(b"failed to reload config: internal error (KeyError at ")
    assert b"secret" not in body
    code, _, body = await ask(port, "/metrics")
    assert (code, FAILED.encode() in body) == (200, True)
    assert (await ask(port, "/-/reload", "POST"))[::2] == (200, b"configuration reloaded\n")
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(serving, 60)
    assert reported == []
    failures = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(failures) == 2
