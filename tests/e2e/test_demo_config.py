"""Test `demo --config.file`, which uses the configuration on the simulated API."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from exporter import demo
from exporter.config import State, load
from exporter.ledger.opening import open_ledger
from exporter.ledger.store import StoreError
from exporter.simulator import ManualClock
from tests.e2e.commands import run
from tests.e2e.demonstration import demonstration
from tests.e2e.exposed import Exposed
from tests.ledger.books import job, readings

CONFIG = """\
targets:
- regions: [us-esat-1]
  role_arn: arn:aws:iam::999988887777:role/reader
polling: {{discovery_interval: 3s}}
jobs: {{per_job_metrics: false}}
totals: {{by_tags: [team]}}
state: {{path: {state}}}
"""


def test_the_file_is_honoured_but_for_its_targets(tmp_path: Path) -> None:
    state, config = tmp_path / "state.db", tmp_path / "config.yaml"
    config.write_text(CONFIG.format(state=state))
    with demonstration(tmp_path, "--jobs", "10", "--config.file", str(config)) as running:
        running.wait_until_ready()
        deadline = time.monotonic() + 30
        while 'jobs_created_total{aws_account_id="123456789012",aws_region="us-east-1",tag_team="' not in (
            text := running.get("/metrics").text
        ):
            assert time.monotonic() < deadline, text
            time.sleep(0.1)
        metrics, log = Exposed(text), running.log.read_text()
    assert metrics.rows("sagemaker_training_job_status") == []
    assert {its["aws_account_id"] for its, _ in metrics.rows("sagemaker_exporter_target_up")} == {demo.ACCOUNTS[0]}
    assert {its["aws_region"] for its, _ in metrics.rows("sagemaker_exporter_target_up")} == set(demo.REGIONS)
    assert state.exists()
    assert 'msg="the demo polls simulated jobs, not the configured targets" regions="us-east-1, eu-west-1"' in log
    assert f'msg="a setting may be wrong" file={config} line=2 key=targets[0].regions[0] ' in log
    assert log.count("did you mean us-east-1?") == 1


def test_a_changed_file_is_reloaded_without_a_request(tmp_path: Path) -> None:
    config, status = tmp_path / "config.yaml", "sagemaker_training_job_status"
    config.write_text("jobs: {per_job_metrics: false}\n")
    following = ("--config.file", str(config), "--config.auto-reload-interval", "200ms")
    with demonstration(tmp_path, "--jobs", "2", *following) as running:
        running.wait_until_ready()
        assert Exposed(running.get("/metrics").text).rows(status) == []
        (tmp_path / "new.yaml").write_text("jobs: {per_job_metrics: true}\n")
        (tmp_path / "new.yaml").rename(config)
        deadline = time.monotonic() + 60
        while not Exposed(running.get("/metrics").text).rows(status):
            assert time.monotonic() < deadline, running.log.read_text()
            time.sleep(0.1)


def test_what_the_file_leaves_out_is_the_demos(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("polling: {discovery_interval: 3s}\njobs:\nweb: {telemetry_path: /m}\n")
    config = load(str(file), {}, overrides={"web.listen_address": ":1"}, defaults=demo.SETTINGS)
    assert (config.polling.discovery_interval, config.polling.active_interval) == (3.0, 5.0)
    assert config.jobs.tags == ("team", "project")
    assert (str(config.web.listen_address), config.web.telemetry_path) == (":1", "/m")
    assert config.targets[0].regions == demo.REGIONS
    assert demo.own_targets(config) is config


async def test_totals_of_real_accounts_get_nothing_simulated(tmp_path: Path) -> None:
    path, clock = tmp_path / "state.db", ManualClock()
    await demo.refuse_real_totals(State(), clock)
    await demo.refuse_real_totals(State(path=str(path)), clock)
    async with open_ledger(str(path), clock.time) as books:
        await books.apply(readings(job(created=clock.time() + 1)))
    with pytest.raises(StoreError, match="contains totals of real accounts"):
        await demo.refuse_real_totals(State(path=str(path)), clock)


def test_a_demo_on_a_real_state_file_is_refused(tmp_path: Path) -> None:
    path, config = tmp_path / "state.db", tmp_path / "config.yaml"
    config.write_text(f"state: {{path: {path}}}\n")

    async def fill() -> None:
        async with open_ledger(str(path), lambda: 1.0) as books:
            await books.apply(readings(job()))

    asyncio.run(fill())
    told = run("demo", "--config.file", str(config), "--web.listen-address=127.0.0.1:0")
    assert (told.status, told.err.count("\n")) == (1, 1)
    assert told.err.startswith(f"{path}: contains totals of real accounts")
