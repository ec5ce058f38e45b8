"""Test that a changed configuration file is reloaded once, in the way that Kubernetes changes a mounted ConfigMap."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from exporter.config import Config, load
from exporter.config.watched import WatchedFile
from exporter.service import Service
from tests import virtual_time
from tests.logged import lines
from tests.sagemaker import Region, jobs
from tests.service.regions import Regions, known, serving, text
from tests.virtual_time import LoopClock

SUCCEEDED = "sagemaker_exporter_config_reload_success 1\n"
INTERVAL = 30.0


class ConfigMap:
    """A directory as the kubelet mounts it: the files are links through a link that it replaces as a whole."""

    def __init__(self, folder: Path, text: str) -> None:
        self._folder, self._version = folder, 0
        self.put(text)
        (folder / "config.yaml").symlink_to("..data/config.yaml")

    @property
    def file(self) -> str:
        return str(self._folder / "config.yaml")

    def take_away(self) -> None:
        (self._folder / "..data").unlink()

    def put(self, text: str) -> None:
        self._version += 1
        version = self._folder / f"..{self._version}"
        version.mkdir()
        (version / "config.yaml").write_text(text)
        (self._folder / "..data_tmp").symlink_to(version.name)
        os.replace(self._folder / "..data_tmp", self._folder / "..data")


class Loads:
    """Count the loads of a file."""

    def __init__(self, file: str) -> None:
        self._file, self.number = file, 0

    def __call__(self) -> Config:
        self.number += 1
        return load(self._file, {})


@asynccontextmanager
async def following(file: str) -> AsyncIterator[tuple[Service, Loads]]:
    loads = Loads(file)
    watched = WatchedFile(file, INTERVAL, LoopClock(), loads)
    async with serving(watched.load) as service, virtual_time.background(watched.follow(service.try_reload)):
        yield service, loads


def written(retention: str) -> str:
    off = "prices: {source: none}\nquotas: {interval: 0s}"
    return f"targets: [{{regions: [us-east-1]}}]\njobs: {{retention: {retention}}}\n{off}\n"


@pytest.fixture
def mounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ConfigMap:
    def sessions(*_: object) -> Regions:
        region = Region(*jobs(20))
        return Regions({"us-east-1": region}, known)

    monkeypatch.setattr("exporter.app.Sessions", sessions)
    return ConfigMap(tmp_path, written("1h"))


def test_a_changed_file_is_loaded_once(mounted: ConfigMap) -> None:
    async def scenario() -> None:
        async with following(mounted.file) as (service, loads):
            await asyncio.sleep(10 * INTERVAL)
            assert loads.number == 1
            mounted.put(written("2h"))
            await asyncio.sleep(2 * INTERVAL)
            assert service.config.jobs.retention == 7200
            assert SUCCEEDED in await text(service)
            # The same content under another link, as after a change of another key.
            mounted.put(written("2h"))
            await asyncio.sleep(10 * INTERVAL)
            assert loads.number == 2

    virtual_time.run(scenario())


def test_a_file_that_was_reloaded_by_request_is_not_loaded_again(mounted: ConfigMap) -> None:
    async def scenario() -> None:
        async with following(mounted.file) as (service, loads):
            await asyncio.sleep(INTERVAL + 1)
            mounted.put(written("2h"))
            await service.reload()
            await asyncio.sleep(10 * INTERVAL)
            assert (service.config.jobs.retention, loads.number) == (7200, 2)

    virtual_time.run(scenario())


def test_a_change_during_the_load_is_noticed(mounted: ConfigMap) -> None:
    async def scenario() -> None:
        def changing() -> Config:
            read = load(mounted.file, {})
            mounted.put(written("2h"))
            return read

        watched = WatchedFile(mounted.file, INTERVAL, LoopClock(), changing)
        async with serving(watched.load) as service:
            watched.read_config = Loads(mounted.file)
            async with virtual_time.background(watched.follow(service.try_reload)):
                await asyncio.sleep(2 * INTERVAL)
                assert service.config.jobs.retention == 7200

    virtual_time.run(scenario())


@pytest.mark.parametrize("change", [lambda it: it.put(written("soon")), ConfigMap.take_away], ids=["wrong", "gone"])
def test_a_wrong_file_is_reported_once_and_a_right_one_ends_it(
    change: Callable[[ConfigMap], None], mounted: ConfigMap, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with following(mounted.file) as (service, loads):
            change(mounted)
            await asyncio.sleep(10 * INTERVAL)
            assert SUCCEEDED not in await text(service)
            assert (service.config.jobs.retention, loads.number) == (3600, 2)
            mounted.put(written("2h"))
            await asyncio.sleep(2 * INTERVAL)
            assert SUCCEEDED in await text(service)
            assert service.config.jobs.retention == 7200

    caplog.set_level(logging.ERROR)
    virtual_time.run(scenario())
    (line,) = lines(caplog)
    assert line.startswith('msg="configuration not reloaded; keeping the previous one"')


@pytest.mark.parametrize("interval", [0.0, INTERVAL])
def test_nothing_is_followed_without_an_interval_or_a_file(interval: float) -> None:
    async def scenario() -> None:
        watched = WatchedFile(None if interval else "config.yaml", interval, LoopClock(), Config)
        await watched.follow(asyncio.get_running_loop().create_future)

    virtual_time.run(scenario())
