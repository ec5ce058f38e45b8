"""Test the answers at the top of the status page, and that none takes the unknown for nothing."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from exporter.cloudwatch.families import Utilization
from exporter.quotas.applied import Quotas
from exporter.training.active import ActiveCounts
from exporter.training.cost import Rate, Rates
from exporter.web.page import ShownJob, Status, TargetRow
from exporter.web.page.strip import Tile, readiness, tiles
from exporter.web.page.text import Moment
from tests.http.fakes import NOW, status
from tests.http.pages import job, phases
from tests.http.parsed import shown

P4D = "ml.p4d.24xlarge"
RATES: Rates = {(P4D, "spot_training"): Rate(Fraction(25), "USD")}
DOLLARS = {(P4D, usage): Rate(Fraction(25), "USD") for usage in ("spot_training", "warm_pool")}


def target(**fields: Any) -> TargetRow:
    return replace(TargetRow("123456789012", "us-east-1", True, NOW - 1, NOW - 1), **fields)


def said(status: Status) -> dict[str, tuple[str, str, str]]:
    """Return the value, the colour and the note of each tile."""
    return {
        tile.title: (_plain(tile), tile.kind, tile.note.replace("\N{NO-BREAK SPACE}", " ")) for tile in tiles(status)
    }


def _plain(tile: Tile) -> str:
    text = tile.value.text if isinstance(tile.value, Moment) else tile.value
    return text.replace("\N{NO-BREAK SPACE}", " ")


def full() -> Status:
    waiting = job(3, secondary_status="Starting", started=None, waiting="insufficient_capacity", created=NOW - 7500)
    wasting = replace(
        job(1), rates=RATES, utilization=Utilization(NOW - 120, {"gpu": (("algo-1", 0.1), ("algo-2", 0.3))})
    )
    busy = replace(job(2), rates=RATES, utilization=Utilization(NOW - 120, {"gpu": (("algo-1", 1.0),)}))
    one = target(
        failed={"AlgorithmError": 2, "": 1},
        counts=ActiveCounts({}, {(P4D, "spot_training"): 5, (P4D, "warm_pool"): 2}, rates=DOLLARS),
        quotas=Quotas({(P4D, "spot_training"): 6.0, (P4D, "warm_pool"): 8.0}, 20.0),
    )
    two = target(region="eu-west-1", up=False, failed={"AlgorithmError": 1})
    found = status(job(0, max_runtime_seconds=3600.0), waiting, wasting, busy, targets=(one, two))
    return replace(found, measures_gpus=True)


def test_every_question_has_its_answer() -> None:
    assert said(full()) == {
        "Failed in the last 24 h": ("4", "bad", "AlgorithmError 3, unknown reason 1"),
        "Waiting longest": ("2 h 5 min", "warn", "insufficient capacity: job-00003"),
        "Nearest deadline": ("in 2 min", "", "max runtime: job-00000"),
        "Cost now": ("$175.00 per hour", "", ""),
        "Idle warm pools": ("$50.00 per hour", "warn", ""),
        "Wasted GPUs": ("$40.00 per hour", "warn", "most: job-00001, 80% idle"),
        "Quota nearest to full": ("83%", "warn", "5 of 6 ml.p4d.24xlarge for spot training, us-east-1"),
        "Targets down": ("1 of 2", "bad", "123456789012/eu-west-1"),
    }
    text = shown(full()).text
    assert "Quota nearest to full 83% 5 of 6 ml.p4d.24xlarge for spot training, us-east-1" in text


def test_the_answers_lead_to_the_jobs_that_they_are_about() -> None:
    links = {tile.title: tile.link for tile in tiles(full()) if tile.link}
    assert links == {
        "Failed in the last 24 h": "?reason=failed#jobs",
        "Waiting longest": "job?account=123456789012&region=us-east-1&name=job-00003",
        "Nearest deadline": "job?account=123456789012&region=us-east-1&name=job-00000",
        "Idle warm pools": "?pool=held&sort=rate#jobs",
        "Wasted GPUs": "job?account=123456789012&region=us-east-1&name=job-00001",
        "Targets down": "#targets",
    }


def test_what_is_known_to_be_nothing_is_calm() -> None:
    calm = replace(status(targets=(target(quotas=Quotas({}, 20.0)),)), measures_gpus=True)
    assert [(value, kind) for value, kind, _ in said(calm).values()] == [
        *(("none", ""), ("none", ""), ("none", ""), ("nothing held", ""), ("none", ""), ("none measured", "")),
        *(("nothing held", ""), ("0 of 1", "")),
    ]


@pytest.mark.parametrize("unknown", [{"up": None, "first_sync": None}, {"first_sync": "3 pages read"}])
def test_what_was_not_read_yet_is_unknown(unknown: dict[str, object]) -> None:
    early = replace(status(targets=(target(quotas=Quotas({}, 20.0)), target(**unknown))), measures_gpus=True)
    assert {value for title, (value, _, _) in said(early).items() if title != "Targets down"} == {"unknown yet"}
    some = replace(early, targets=(target(failed={"ClientError": 1}), target(**unknown)))
    assert said(some)["Failed in the last 24 h"][0] == "at least 1"


def test_what_is_off_says_so() -> None:
    found = said(status(targets=(target(),)))
    assert found["Wasted GPUs"] == ("not measured", "", "the utilization of GPUs is not read")
    assert found["Quota nearest to full"] == ("unknown", "", "no quotas were read")


def test_instances_without_a_price_cost_no_zero() -> None:
    held = target(counts=ActiveCounts({}, {(P4D, "spot_training"): 2, (P4D, "warm_pool"): 1}))
    wasting = replace(job(), utilization=Utilization(NOW, {"gpu": (("algo-1", 0.0),)}))
    found = said(replace(status(wasting, targets=(held,)), measures_gpus=True))
    assert found["Cost now"][0] == "3 instances without a price"
    assert found["Idle warm pools"][0] == "1 instance without a price"
    assert found["Wasted GPUs"][0] == "1 job without a price"


def test_a_part_of_the_waste_says_that_it_is_one() -> None:
    idle = Utilization(NOW, {"gpu": (("algo-1", 0.5),)})
    jobs = (ShownJob(job(1).job, rates=RATES, utilization=idle), ShownJob(job(2).job, utilization=idle))
    found = said(replace(status(*jobs, targets=(target(),)), measures_gpus=True))
    assert found["Wasted GPUs"] == ("$25.00 per hour", "warn", "most: job-00001, 50% idle; 1 job without a price")


@pytest.mark.parametrize(
    ("held", "quotas", "expected"),
    [
        ({(P4D, "training"): 2}, Quotas({(P4D, "training"): 2.0}), ("100%", "bad")),
        ({(P4D, "training"): 1}, Quotas({(P4D, "training"): 2.0}), ("50%", "")),
        ({(P4D, "training"): 1}, Quotas({(P4D, "training"): 0.0}), ("above 0", "bad")),
        ({(P4D, "training"): 0}, Quotas({(P4D, "training"): 0.0}), ("nothing held", "")),
        ({(P4D, "training"): 9, (P4D, "warm_pool"): 9}, Quotas({}, 20.0), ("90%", "warn")),
        ({("ml.new", "training"): 9}, Quotas({(P4D, "training"): 2.0}), ("nothing held", "")),
    ],
)
def test_quotas(held: dict[tuple[str, str], int], quotas: Quotas, expected: tuple[str, str]) -> None:
    found = said(status(targets=(target(counts=ActiveCounts({}, held), quotas=quotas),)))
    assert found["Quota nearest to full"][:2] == expected


def test_a_deadline_that_has_passed_is_not_the_nearest() -> None:
    late = job(1, max_runtime_seconds=3420.0 - 60, max_wait_seconds=5000.0)
    found = said(status(late, job(2, max_runtime_seconds=None), targets=(target(),)))
    assert found["Nearest deadline"] == ("in 16 min 39 s", "", "max wait: job-00001")
    passed = said(status(job(1, max_runtime_seconds=60.0), targets=(target(),)))
    assert passed["Nearest deadline"][0] == "none"


def test_a_job_waits_from_its_creation_or_since_it_was_interrupted() -> None:
    interrupted = job(
        1,
        secondary_status="Starting",
        waiting="launching",
        transitions=phases(("Starting", 60.0), ("Training", 600.0), ("Interrupted", 100.0), ("Starting", 20.0)),
    )
    assert said(status(interrupted, targets=(target(),)))["Waiting longest"][::2] == ("2 min", "launching: job-00001")
    other = replace(interrupted, job=replace(interrupted.job, waiting="other"))
    assert said(status(other, targets=(target(),)))["Waiting longest"][::2] == ("2 min", "unknown reason: job-00001")


@pytest.mark.parametrize(
    ("ready", "ups", "expected"),
    [
        (True, (True, True), ("good", "✓ ready")),
        (True, (), ("good", "✓ ready")),
        (True, (True, None), ("good", "✓ ready")),
        (False, (True, None), ("warn", "… not ready yet")),
        (True, (True, False), ("warn", "ready, 1 of 2 targets down")),
        (True, (False, False), ("bad", "✗ every target is down")),
        (False, (False,), ("bad", "✗ every target is down")),
    ],
)
def test_ready_is_not_green_while_every_target_is_down(
    ready: bool, ups: tuple[bool | None, ...], expected: tuple[str, str]
) -> None:
    found = replace(status(targets=tuple(target(up=up) for up in ups)), ready=ready)
    assert readiness(found) == expected
    assert expected[1] in shown(found).text


def test_a_replica_answers_for_its_own_targets_only() -> None:
    elsewhere = TargetRow("123456789012", "eu-west-1", elsewhere=True)
    some = status(targets=(target(), elsewhere))
    assert readiness(some) == ("good", "✓ ready")
    assert said(some)["Targets down"] == ("0 of 1", "", "")
    assert said(some)["Failed in the last 24 h"][0] == "none"
    text = shown(some).text
    assert "Of 1 target that this replica polls; others poll 1 target." in text
    assert "eu-west-1 123456789012 polled by another replica" in text
    cut_off = replace(status(targets=(elsewhere,)), cut_off=True)
    assert readiness(cut_off) == ("bad", "✗ the database is out of reach")
    assert "eu-west-1 123456789012 not held" in shown(cut_off).text
    idle = status(targets=(elsewhere,))
    assert readiness(idle) == ("idle", "standing by: other replicas poll all targets")
    assert said(idle)["Failed in the last 24 h"][0] == said(idle)["Waiting longest"][0] == "unknown yet"
