"""Define bugs of replicas that matter when their configuration changes, to be injected on purpose."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from exporter.ledger import accounting, ledger
from exporter.ledger.accounting import Batch
from exporter.ledger.postgres_tables import Tables
from exporter.ledger.shared import SharedLedger
from exporter.ledger.store import Snapshot, Target
from exporter.replicas.shared import SharedLeases
from exporter.training.cost import Rate
from exporter.training.facts import Facts
from tests.ledger.reconfiguring import MULTIPLIERS

Patch = pytest.MonkeyPatch


def share_the_targets_of_the_start(patch: Patch) -> None:
    """Ignore targets that a reload adds."""
    share = SharedLeases.share

    def once(leases: SharedLeases, keys: Iterable[str], tags: Iterable[str] = ()) -> None:
        if not leases._keys:
            share(leases, keys, tags)

    patch.setattr(SharedLeases, "share", once)


def take_the_newest_tags(patch: Patch) -> None:
    """Move a job to the series of the tags that it has with the present configuration."""
    merged = Facts.merged

    def moved(earlier: Facts, later: Facts) -> Facts:
        found = merged(earlier, later)
        return Facts(found.created, later.cost_tags, found.known, found.rates)

    patch.setattr(Facts, "merged", moved)


def leave_what_ended_before_the_baseline(patch: Patch) -> None:
    """Count nothing more of a recorded job that ended before the present baseline, such as its late bill."""
    apply_batch = accounting.apply_batch

    def wrong(batch: Batch, recorded: Any, unpriced: Any, committed: Snapshot, baseline: float, *others: Any) -> Any:
        over = {identity: reading.over_since for identity, reading in batch.readings.items()}
        readings = {one: batch.readings[one] for one, end in over.items() if end is None or end >= baseline}
        return apply_batch(replace(batch, readings=readings), recorded, unpriced, committed, baseline, *others)

    patch.setattr(ledger, "apply_batch", wrong)


def adjust_recorded_prices(patch: Patch) -> None:
    """Give a recorded job the present adjustment of its price."""
    priced = Facts.priced
    ratios = {one / other for one in MULTIPLIERS for other in MULTIPLIERS} - {Fraction(1)}

    def adjusted(of_job: Facts, find: Callable[[str, str], Rate | None]) -> Facts:
        found = priced(of_job, find)
        rates = {key: _adjusted(rate, find(*key), ratios) for key, rate in found.rates.items()}
        return Facts(found.created, found.cost_tags, found.known, rates)

    patch.setattr(Facts, "priced", adjusted)


def _adjusted(rate: Rate | str, now: Rate | None, ratios: Collection[Fraction]) -> Rate | str:
    if isinstance(rate, Rate) and now and now.per_hour / rate.per_hour in ratios:
        return now
    return rate


def release_before_the_last_write(patch: Patch) -> None:
    """Unlock a target, and write then what is not written yet."""
    release = SharedLedger.release

    async def wrong(shared: SharedLedger, target: Target) -> None:
        await shared._blocking(lambda: shared._unlock([target]))
        await release(shared, target)

    patch.setattr(SharedLedger, "release", wrong)
    patch.setattr(Tables, "_check", lambda *_: None)


def keep_pending_readings_of_lost_targets(patch: Patch) -> None:
    """Write later what was read of a target before it was lost."""

    def forget(shared: SharedLedger, targets: Collection[Target]) -> None:
        shared._held.difference_update(targets)
        shared._begun.difference_update(targets)

    patch.setattr(SharedLedger, "_forget_pending", forget)
    patch.setattr(Tables, "_check", lambda *_: None)
