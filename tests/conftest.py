"""Set up every test: no AWS account, no proxy, fixtures for Prometheus and promtool, and in CI no skipped tests."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests import logged, postgres
from tests import prometheus as real
from tests.processes import in_folder_of_processes, no_processes

# The duration of an example depends on the load of the machine, not on the code.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")

PrometheusFactory = Callable[..., AbstractAsyncContextManager[real.Prometheus]]

_FAKE_AWS = {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    # Tests of prices, quotas and CloudWatch set their source themselves. No test asks AWS for them.
    "AWS_ENDPOINT_URL_PRICING": "http://127.0.0.1:9",
    "AWS_ENDPOINT_URL_SERVICE_QUOTAS": "http://127.0.0.1:9",
    "AWS_ENDPOINT_URL_CLOUDWATCH": "http://127.0.0.1:9",
}


@pytest.fixture(autouse=True, scope="session")
def _no_aws_account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Remove the AWS settings, credentials and proxies of the person who runs the tests."""
    nothing = tmp_path_factory.mktemp("no-aws")
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith("AWS_") or name == "REQUESTS_CA_BUNDLE" or name.lower().endswith("_proxy"):
                patch.delenv(name)
        for name, value in _FAKE_AWS.items():
            patch.setenv(name, value)
        patch.setenv("AWS_CONFIG_FILE", str(nothing / "config"))
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(nothing / "credentials"))
        yield


@pytest.fixture(autouse=True)
def _environment_is_left_alone() -> Iterator[None]:
    """Fail a test that changes the environment, because that could affect later tests in the same process."""
    before = _environment()
    yield
    assert _environment() == before


def _environment() -> dict[str, str]:
    """Return the environment without what pytest and coverage note in it for themselves."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV"))}


@pytest.fixture
def logging_restored() -> Iterator[None]:
    """Restore logging after a test, because commands configure it for the whole process."""
    with logged.restored():
        yield


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Server]:
    """Run a PostgreSQL server for all tests of a process."""
    with postgres.running(postgres.programs_or_skip()) as server:
        yield server


@pytest.fixture
def database(postgres_server: postgres.Server) -> Iterator[str]:
    """Create a database of its own for a test; return its URL."""
    with postgres_server.database() as url:
        yield url


@pytest.fixture
def prometheus(tmp_path: Path) -> PrometheusFactory:
    """Start Prometheus: `async with prometheus(scraping("127.0.0.1:9841")) as p: await p.query("up")`.

    Further arguments are flags for Prometheus. Paths in the configuration are relative to `tmp_path`.
    """
    return lambda config, *flags: real.running(config, tmp_path, *flags)


@pytest.fixture
def promtool() -> Callable[..., real.Outcome]:
    """Run promtool: `promtool("check", "metrics", stdin=text).returncode`."""
    return real.promtool


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not import folders in which `make unit` runs no test."""
    return ("not process" in config.getoption("markexpr") and in_folder_of_processes(collection_path)) or None


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark tests that use the fixtures `prometheus` or `promtool`, and tests that start processes."""
    if {"prometheus", "promtool"} & set(getattr(item, "fixturenames", ())):
        item.add_marker("prometheus")
    if item.get_closest_marker("prometheus") or in_folder_of_processes(item.path):
        item.add_marker("process")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Check the marker: a test without it, and its fixtures, cannot start a process."""
    with nullcontext() if item.get_closest_marker("process") else no_processes():
        return (yield)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("prometheus") and real.programs() is None:
        pytest.skip("Prometheus and promtool are not here: hack/prometheus.sh")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _refuse_skip(report)
    return report


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Fail skipped tests in CI, where every test has to run."""
    if os.environ.get("CI") and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"Skipped, which CI does not allow: {report.longrepr}"
