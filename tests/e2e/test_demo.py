"""Test the demo as a user sees it: every family within a minute, on every path, until it is stopped."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families as text_families

from exporter.catalogue import CATALOGUE
from tests.e2e.demonstration import Demonstration, demonstration
from tests.e2e.exposed import Exposed

OPENMETRICS = "application/openmetrics-text; version=1.0.0"


# A family of the catalogue that the demo lacks: all of its statuses are known.
LACKING = {"sagemaker_exporter_unknown_status_total"}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demonstration]:
    with demonstration(tmp_path_factory.mktemp("demo")) as running:
        running.wait_until_ready()
        yield running


def series(answer: str, openmetrics: bool) -> set[tuple[str, tuple[tuple[str, str], ...], str]]:
    """Return the exporter's samples, without the _created samples of OpenMetrics."""
    parse: Callable[[str], Iterable[Metric]] = openmetrics_families if openmetrics else text_families
    samples = [s for family in parse(answer) for s in family.samples if s.name.startswith("sagemaker_")]
    common = [s for s in samples if not s.name.endswith("_created")]
    return {(s.name, tuple(sorted(s.labels.items())), repr(float(s.value))) for s in common}


def test_the_demo_has_every_family_within_a_minute(demo: Demonstration) -> None:
    deadline = time.monotonic() + 60
    expected = {family.name for family in CATALOGUE} - LACKING
    while True:
        names = {s.name for f in Exposed(demo.get("/metrics").text).families for s in f.samples}
        missing = {name for name in expected if not {name, f"{name}_bucket"} & names}
        if not missing or time.monotonic() > deadline:
            break
        time.sleep(0.25)
    assert missing == set()


def test_all_formats_say_the_same(demo: Demonstration) -> None:
    """The jobs of the demo change, so some scrapes differ; most pairs of scrapes have no change between them."""
    for _ in range(20):
        text, zipped = demo.get("/metrics"), demo.get("/metrics", Accept_Encoding="gzip")
        opened = demo.get("/metrics", Accept=OPENMETRICS)
        opened_zipped = demo.get("/metrics", Accept=OPENMETRICS, Accept_Encoding="gzip")
        every = [series(a.text, a in (opened, opened_zipped)) for a in (text, zipped, opened, opened_zipped)]
        if all(one == every[0] for one in every):
            break
    assert [a.encoding for a in (text, zipped, opened, opened_zipped)] == ["", "gzip", "", "gzip"]
    assert all(a.content_type.startswith("text/plain; version=0.0.4") for a in (text, zipped))
    assert all(
        a.content_type.startswith("application/openmetrics-text; version=1.0.0") for a in (opened, opened_zipped)
    )
    assert len(every[0]) > 1000
    assert [one ^ every[0] for one in every[1:]] == [set(), set(), set()]


def test_the_demo_looks_well(demo: Demonstration) -> None:
    assert "level=warn" not in demo.log.read_text()


def test_the_demo_answers_on_every_path(demo: Demonstration) -> None:
    assert demo.get("/healthz")[::3] == (200, "ok\n")
    assert demo.get("/readyz")[::3] == (200, "ready\n")
    page = demo.get("/")
    assert (page.status, page.content_type) == (200, "text/html; charset=utf-8")
    assert "us-east-1" in page.text
    assert "eu-west-1" in page.text
    assert demo.get("/nowhere").status == 404


def test_reload_needs_its_flag(demo: Demonstration) -> None:
    assert demo.get("/-/reload", "POST").status == 403
    assert demo.get("/-/reload", "GET").status == 405


def test_reload_with_its_flag_keeps_the_demo_going(tmp_path: Path) -> None:
    with demonstration(tmp_path, "--web.enable-lifecycle", "--jobs", "2") as running:
        running.wait_until_ready()
        assert running.get("/-/reload", "POST").status == 200
        running.wait_until_ready()
        assert Exposed(running.get("/metrics").text).value("sagemaker_exporter_config_reload_success") == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_demo_ends_when_it_is_told_to(number: signal.Signals, tmp_path: Path) -> None:
    with demonstration(tmp_path, "--jobs", "4") as running:
        running.wait_until_ready()
        running.process.send_signal(number)
        assert running.process.wait(timeout=20) == 0
        assert "Traceback" not in running.log.read_text()
