"""Test the rendered container as a process: it starts with its flags and files, and the probes succeed."""

from __future__ import annotations

import sqlite3
from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path

import bcrypt
import pytest

from exporter.simulator import Simulator, steady
from tests.deploy.kubernetes import CHART, container, pod, rendered
from tests.deploy.pods import Running, running
from tests.e2e.exposed import lead_to
from tests.http.certificates import LOOPBACK, Authority

ACCOUNT, REGION = "123456789012", "us-east-1"
ONE_REGION = ("--set", f"config.targets[0].regions[0]={REGION}")


@pytest.fixture
async def sagemaker(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Simulator]:
    """Run a simulated SageMaker, and point the environment at it."""
    async with Simulator() as simulator:
        simulator.store.add(ACCOUNT, REGION, *steady(3, simulator.clock.time() - 3600))
        lead_to(simulator, monkeypatch)
        yield simulator


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Return the mounted files of a Secret of type kubernetes.io/tls."""
    pem, key = Authority.new(tmp_path / "ca").sign("exporter", *LOOPBACK)
    folder = tmp_path / "tls"
    folder.mkdir()
    pem.rename(folder / "tls.crt")
    key.rename(folder / "tls.key")
    return folder


async def assert_well(it: Running) -> None:
    for name, status in (("startupProbe", 200), ("livenessProbe", 200), ("readinessProbe", 200)):
        await it.until(name, 0 if "tcpSocket" in it.container[name] else status)


async def test_as_installed_without_values_but_a_region(sagemaker: Simulator, tmp_path: Path) -> None:
    found = rendered(*ONE_REGION)
    async with running(container(found), found, pod(found), tmp_path, {}) as it:
        await assert_well(it)
        assert await it.get("/metrics") == 200
    assert not sagemaker.errors
    state = tmp_path / "var/lib/sagemaker-exporter/state.sqlite"
    with sqlite3.connect(state) as totals:
        assert totals.execute("select count(*) from sqlite_master").fetchone()[0] > 0


@pytest.mark.usefixtures("sagemaker")
async def test_with_tls_the_kubelet_asks_over_it(certificate: Path, tmp_path: Path) -> None:
    found = rendered("--values", str(CHART / "ci/tls-values.yaml"), *ONE_REGION)
    async with running(container(found), found, pod(found), tmp_path, {}, {"exporter-tls": certificate}) as it:
        assert it.container["livenessProbe"]["httpGet"]["scheme"] == "HTTPS"
        await assert_well(it)
        assert await it.get("/metrics", "https") == 200


@pytest.mark.usefixtures("sagemaker")
async def test_with_a_password_the_kubelet_only_knocks(certificate: Path, tmp_path: Path) -> None:
    stored = bcrypt.hashpw(b"open sesame", bcrypt.gensalt(4)).decode()
    password = ("--set-string", f"webConfig.content.basic_auth_users.prometheus={stored}")
    found = rendered("--values", str(CHART / "ci/secured-values.yaml"), *ONE_REGION, *password)
    secrets = {"exporter-tls": certificate}
    # The proxy in these values does not exist.
    async with running(container(found), found, pod(found), tmp_path, {"HTTPS_PROXY": ""}, secrets) as it:
        assert "tcpSocket" in it.container["livenessProbe"]
        await assert_well(it)
        assert await it.get("/healthz", "https") == 401
        said = b64encode(b"prometheus:open sesame").decode()
        assert await it.get("/metrics", "https", Authorization=f"Basic {said}") == 200


@pytest.mark.usefixtures("sagemaker")
async def test_a_shard_knows_its_number_from_its_pod(tmp_path: Path) -> None:
    found = rendered("--values", str(CHART / "ci/sharded-values.yaml"))
    async with running(container(found), found, pod(found), tmp_path, {"POD_NAME": "rel-1"}) as it:
        await it.until("startupProbe", 200)
    with pytest.raises(AssertionError, match="too few shards for the index 2"):
        async with running(container(found), found, pod(found), tmp_path / "other", {"POD_NAME": "rel-2"}):
            pass
