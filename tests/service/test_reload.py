"""Test that a reload keeps the totals, refuses invalid configurations, and applies the new one."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from exporter.clock import SystemClock
from exporter.config import Config, load
from exporter.config.watched import WatchedFile
from exporter.service import Service
from exporter.simulator import Simulator, steady
from exporter.web.routes import ReloadError
from tests.logged import lines

pytestmark = pytest.mark.slow

ACCOUNT = "123456789012"


def _config(**sections: object) -> Config:
    polling = {"discovery_interval": "1s", "active_interval": "1s", "list_rps": 100.0, "describe_rps": 500.0}
    targets = [{"regions": ["us-east-1"]}]
    return Config.model_validate({"polling": polling, "targets": targets, **sections})


async def _text(service: Service) -> str:
    return b"".join([piece async for piece in service.metrics(openmetrics=False, gzip=False)]).decode()


async def _until(service: Service, wanted: str) -> str:
    async with asyncio.timeout(60):
        while wanted not in (text := await _text(service)):
            await asyncio.sleep(0.05)
    return text


async def test_a_reload_keeps_the_totals_and_shows_the_new_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SystemClock()
    configs = [_config(), _config(jobs={"per_job_metrics": False})]
    async with Simulator(clock=clock, seed=1, accounts=(ACCOUNT,), regions=("us-east-1",)) as simulator:
        simulator.store.add(ACCOUNT, "us-east-1", *steady(3, clock.time() - 600))
        monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER", simulator.url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", simulator.url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_PRICING", simulator.url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_SERVICE_QUOTAS", simulator.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", simulator.access_key(ACCOUNT))
        service = Service(lambda: configs.pop(0), clock)
        await service.start()
        created = f'sagemaker_training_jobs_created_total{{aws_account_id="{ACCOUNT}",aws_region="us-east-1"}} 3\n'
        before = await _until(service, created)
        assert "sagemaker_training_job_creation_timestamp_seconds{" in before
        for life in steady(1, clock.time() - 60, "late"):
            simulator.store.add(ACCOUNT, "us-east-1", life)
        await service.reload()
        after = await _until(service, created.replace(" 3\n", " 4\n"))
        assert "sagemaker_training_job_creation_timestamp_seconds{" not in after
        assert service.ready() == (True, "ready")
        await service.stop()


async def test_a_bad_configuration_is_refused_and_the_old_one_stays(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("polling: {active_interval: 60s}\nstate: {path: ''}\n")
    watched = WatchedFile(str(file), 0.0, SystemClock(), lambda: load(str(file), {}))
    service = Service(watched.load, SystemClock())
    await service.start()
    old = service.config
    fixed = r"cannot change while the exporter runs \(allowed: the value that it runs with, or a restart\)"
    elsewhere = tmp_path / "elsewhere.db"
    for text, words in (
        ("polling: {active_interval: soon}", ':1: polling.active_interval: "soon" is not a duration'),
        (f"polling:\nstate:\n  path: {elsewhere}", f":3: state.path: {fixed}"),
        ("jobs:\nweb: {telemetry_path: /other}", f":2: web.telemetry_path: {fixed}"),
    ):
        file.write_text(text)
        with pytest.raises(ReloadError, match=words) as refused:
            await service.reload()
        assert str(refused.value).startswith(f"{file}:")
        assert service.config is old
        assert "sagemaker_exporter_config_reload_success 0\n" in await _text(service)
    assert not service.status().config_ok
    assert any("line=3 key=state.path" in line for line in lines(caplog))
    await service.stop()
