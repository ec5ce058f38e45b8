"""Test jobs that an earlier run left unfinished: they are tracked whether or not their facts can be read.

The gauges count them as far as the listing and the facts allow.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace

import pytest

from exporter.ledger.accounting import Reading
from exporter.ledger.ledger import Ledger
from exporter.ledger.opening import open_ledger
from exporter.polling.poller import Poller
from exporter.polling.tracker import Tracker, TrackerTiming
from exporter.training.facts import Facts
from exporter.training.holding import NOTHING, Holding, holding_as_listed
from exporter.training.job import Identity, Instances, TrainingJob, Transition, WarmPool
from tests.polling.pollers import poller, polling
from tests.sagemaker import TARGET, Region, job, jobs

READ = TrainingJob(
    account="1",
    region="r",
    name="job",
    status="InProgress",
    secondary_status="Training",
    created=1000.0,
    started=1100.0,
    modified=1100.0,
    spot=False,
    instances=(Instances("ml.m5.large", "a", 1), Instances("ml.g5.xlarge", "b", 2)),
    transitions=(Transition("Starting", 1000.0, 1100.0), Transition("Downloading", 1100.0, 1110.0)),
)
WAITED = replace(READ, transitions=(Transition("Starting", 1000.0, 1100.0),))
TYPES = (("ml.g5.xlarge", 2), ("ml.m5.large", 1))
TRAINING = Holding("training", TYPES)


def listed(status: str = "InProgress", secondary: str | None = "Training", pool: str | None = None) -> TrainingJob:
    return TrainingJob(
        account="1",
        region="r",
        name="job",
        status=status,
        secondary_status=secondary,
        created=1000.0,
        warm_pool=WarmPool(pool, None, None) if pool else None,
    )


@pytest.mark.parametrize(
    ("summary", "known", "held"),
    [
        (listed(), READ, TRAINING),
        (listed(), None, None),
        (listed(), replace(READ, spot=True), Holding("spot_training", TYPES)),
        # As the description says that lacks the flag.
        (listed(), replace(READ, spot=None), TRAINING),
        (listed(secondary="Interrupted"), replace(READ, spot=True), NOTHING),
        (listed(secondary="Starting"), READ, NOTHING),
        (listed(secondary="Pending"), None, NOTHING),
        (listed(secondary="Interrupted"), READ, NOTHING),
        # It may have been stopped before it had any instances.
        (listed("Stopping", "Stopping"), READ, TRAINING),
        (listed("Stopping", "Stopping"), WAITED, None),
        (listed("Stopping", "Stopping"), None, None),
        # The meaning of a future status is unknown.
        (listed(secondary="Polishing"), WAITED, None),
        (listed(secondary=None), None, None),
        (listed("Completed", "Completed"), None, NOTHING),
        (listed("Completed", "Completed", "Available"), READ, Holding("warm_pool", TYPES)),
        (listed("Completed", "Completed", "Available"), replace(READ, spot=None), Holding("warm_pool", TYPES)),
        (listed("Completed", "Completed", "Available"), None, None),
        (listed("Completed", "Completed", "Reused"), None, NOTHING),
        (replace(listed(), status=None, secondary_status=None), READ, None),
    ],
)
def test_what_a_listed_job_holds(summary: TrainingJob, known: TrainingJob | None, held: Holding | None) -> None:
    assert holding_as_listed(summary, Facts.of(known) if known else None) == held


def test_a_listing_says_how_an_unread_job_is_and_a_reading_what_it_holds() -> None:
    tracker = Tracker(TrackerTiming(30.0, 120.0, 3600.0))
    tracker.track(replace(listed(), status=None, secondary_status=None), 0.0, Facts.of(READ))
    assert not tracker.counts(partial=False).jobs_known
    assert tracker.listed(listed())
    assert not tracker.listed(listed())
    counts = tracker.counts(partial=False)
    assert (counts.jobs_known, counts.jobs["InProgress", "Training"]) == (True, 1)
    assert counts.instances == {("ml.m5.large", "training"): 1, ("ml.g5.xlarge", "training"): 2}
    tracker.read(READ, 2000.0, 0.0, 120.0)
    assert tracker.counts(partial=False) == counts
    # From now on the describe has more than a listing.
    assert not tracker.listed(listed(secondary="Uploading"))
    tracker.drop("job")
    assert not any(tracker.counts().jobs.values())
    assert not any(tracker.counts().instances.values())


def total(ledger: Ledger, name: str) -> float:
    """Return a total over all labels."""
    found = ledger.totals(TARGET).items()
    return sum(series.shown[0] for key, series in found if key.family == f"sagemaker_training_{name}_total") / 1000


@pytest.mark.parametrize("search", [False, True], ids=["describe", "search"])
async def test_of_two_open_jobs_of_one_name_the_earlier_one_is_given_up(search: bool) -> None:
    """It was deleted before its bill came: nothing of it can be read again, so its training seconds count alone."""
    region = Region()
    now = region.clock.time()
    earlier, later = (
        replace(READ, account=TARGET[0], region=TARGET[1], name="job-0", created=now - age, modified=now - age + 100)
        for age in (7200, 3600)
    )
    ended = replace(earlier, status="Completed", secondary_status="Completed", training_seconds=60.0)
    region.jobs.add(job("job-0"))
    async with open_ledger("", region.clock.time, 86400.0) as ledger:
        await ledger.begin(TARGET)
        await ledger.apply([Reading.of(ended, settled=False), Reading.of(later, settled=False)])
        assert total(ledger, "seconds") == 0
        async with polling(poller(region, ledger, search=search)):
            await asyncio.sleep(60)
            assert total(ledger, "seconds") == 60
            assert len(await ledger.open_jobs(TARGET) or ()) == 1


async def test_jobs_are_resumed_where_their_facts_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    async def unreadable(self: Ledger, identities: Iterable[Identity]) -> dict[Identity, Facts] | None:
        return None

    region = Region(*jobs(5))
    async with open_ledger("", region.clock.time) as ledger:
        await settle(region, ledger)
        monkeypatch.setattr(Ledger, "recorded", unreadable)
        # Beyond the lookback: no listing brings them back.
        again = poller(region, ledger, lookback=86.4)
        await settle(region, ledger, again)
        assert len(again.tracker) == 5
        assert again.first_sync.complete


async def settle(region: Region, ledger: Ledger, one: Poller | None = None) -> None:
    async with polling(one or poller(region, ledger)):
        await region.clock.sleep(60)
