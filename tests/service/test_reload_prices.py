"""Test that a reload applies the prices of the new configuration to the jobs recorded before it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from exporter.service import Service
from tests import virtual_time
from tests.sagemaker import Region, jobs
from tests.service.regions import Regions, config, known, serving, text, total

REGION, OTHER = "us-east-1", "eu-west-1"
COST, UNPRICED = "sagemaker_training_cost_total", "sagemaker_training_unpriced_instance_seconds"
JOB_COST = "sagemaker_training_job_cost"
_HOUR = 3600.0


def _file(folder: Path, name: str, text: str) -> dict[str, object]:
    path = folder / name
    path.write_text(text)
    return {"source": "file", "file": str(path)}


def _use(patch: pytest.MonkeyPatch) -> None:
    """Serve two regions with a job of an hour on one instance, which ended a minute ago."""
    regions = {name: Region() for name in (REGION, OTHER)}
    for one in regions.values():
        now = one.clock.time()
        one.jobs.add(*jobs(1, now - _HOUR - 60, now - 60))
    patch.setattr("exporter.app.Sessions", lambda timeout, connections: Regions(regions, known))


async def _reloaded(service: Service) -> str:
    before = service.config
    await asyncio.sleep(200)
    await service.reload()
    await asyncio.sleep(200)
    assert service.config is not before
    return await text(service)


def test_a_price_that_only_the_new_configuration_has(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    none = _file(tmp_path, "none.yaml", f"regions:\n  {REGION}:\n    ml.other.xlarge: 1.0\n")
    full = _file(tmp_path, "full.yaml", f"regions:\n  {REGION}:\n    ml.m5.large: 1.5\n")
    configs = [config(REGION, prices=one, totals={"backfill": "30d"}) for one in (none, full)]

    async def scenario() -> None:
        _use(monkeypatch)
        async with serving(lambda: configs.pop(0)) as service:
            await asyncio.sleep(200)
            before = await text(service)
            assert total(before, UNPRICED) == _HOUR
            assert f"\n{COST}" not in before
            after = await _reloaded(service)
            assert (total(after, UNPRICED), total(after, COST)) == (0.0, 1.5)
            assert total(after, JOB_COST) == 1.5

    virtual_time.run(scenario())


def test_a_region_that_the_reload_adds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    both = "".join(f"  {region}:\n    ml.m5.large: 1.5\n" for region in (REGION, OTHER))
    prices = _file(tmp_path, "both.yaml", f"regions:\n{both}")
    configs = [config(*some, prices=prices, totals={"backfill": "30d"}) for some in ((REGION,), (REGION, OTHER))]

    async def scenario() -> None:
        _use(monkeypatch)
        async with serving(lambda: configs.pop(0)) as service:
            after = await _reloaded(service)
            assert (total(after, COST), total(after, JOB_COST)) == (3.0, 3.0)
            assert total(after, UNPRICED) != _HOUR

    virtual_time.run(scenario())
