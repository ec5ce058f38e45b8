"""Bugs that a ledger or a poller could have, put in on purpose: the harness finds each of them within a few seeds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from exporter.exposition import labels
from exporter.ledger import accounting, sqlite
from exporter.ledger import series as contributions
from exporter.ledger.ledger import Ledger
from exporter.ledger.series import Amounts
from exporter.ledger.sqlite import Tables
from exporter.ledger.store import JobRecord, LedgerUpdate, Snapshot, Target, Transaction
from exporter.ledger.writer import Work, Writer
from exporter.polling import discovery, tracker
from exporter.polling.intake import News, Reader
from exporter.polling.poller import Poller
from exporter.polling.tagging import Tagger
from exporter.polling.tracker import Fleet
from exporter.training import facts, job
from exporter.training.facts import Dated
from exporter.training.job import Identity, TrainingJob
from tests.ledger.harness import Harness

_SEEDS = 300

Patch = pytest.MonkeyPatch


def count_again(patch: Patch) -> None:
    """Every reading adds all of the job."""
    enter = accounting._Books.enter
    patch.setattr(accounting._Books, "enter", lambda books, reading, _: enter(books, reading, None))


def commit_jobs_and_totals_apart(patch: Patch) -> None:
    write = Tables.write

    def write_and_commit(tables: Tables, update: LedgerUpdate) -> None:
        write(tables, LedgerUpdate(records=update.records))
        tables.db.execute("COMMIT")
        tables.db.execute("BEGIN IMMEDIATE")
        write(tables, replace(update, records=()))

    patch.setattr(Tables, "write", write_and_commit)


def drop_what_could_not_be_written(patch: Patch) -> None:
    write = Ledger._write

    async def pretend(ledger: Ledger, work: Work) -> bool:
        await write(ledger, work)
        return True

    patch.setattr(Ledger, "_write", pretend)


def show_before_it_is_written(patch: Patch) -> None:
    write = Ledger._write

    async def hasty(ledger: Ledger, work: Work) -> bool:
        def shown(transaction: Transaction, committed: Snapshot) -> LedgerUpdate:
            update = work(transaction, committed)
            ledger._shown = committed.updated(update)
            return update

        return await write(ledger, shown)

    patch.setattr(Ledger, "_write", hasty)


def trust_a_commit_that_failed(patch: Patch) -> None:
    patch.setattr(Writer, "_in_doubt", property(lambda _: False, lambda *_: None), raising=False)


def take_the_first_of_two_readings_of_a_moment(patch: Patch) -> None:
    """Seconds that grow while LastModifiedTime stands still are missed."""

    def rank(fact: Dated) -> tuple[float, float, bytes]:
        return fact[0], 0.0, b""

    patch.setattr(facts, "_rank", rank)


def count_a_bucket_too_far(patch: Patch) -> None:
    amounts = contributions._amounts

    def wrong(family: Any, value: float) -> Amounts:
        return amounts(family, value * 1.001 if family.buckets else value)

    patch.setattr(contributions, "_amounts", wrong)


def prune_by_the_clock_of_the_machine(patch: Patch) -> None:
    forget = accounting.forget

    async def wrong(
        ledger: Ledger, target: Target, lookback: float, now: float, followed: Iterable[Identity] = ()
    ) -> None:
        await ledger._write(
            lambda transaction, committed: forget(transaction, committed, target, lookback, ledger._time(), ())
        )

    patch.setattr(Ledger, "forget", wrong)


def prune_over_jobs_that_were_not_read(patch: Patch) -> None:
    forget = Ledger.forget

    async def wrong(
        ledger: Ledger, target: Target, lookback: float, now: float, followed: Iterable[Identity] = ()
    ) -> None:
        await forget(ledger, target, lookback, now)

    patch.setattr(Ledger, "forget", wrong)


def call_a_job_recorded_when_it_is_found(patch: Patch) -> None:
    patch.setattr(Poller, "_recorded_until", lambda poller: poller._discovery.until)


def settle_before_the_warm_pool_is_over(patch: Patch) -> None:
    patch.setattr(Fleet, "_pool_is_over", lambda *_: True)


def settle_at_the_end(patch: Patch) -> None:
    """Bills and corrections that come later are missed."""
    patch.setattr(Fleet, "_is_settled", lambda _fleet, job, *_: job.terminal)


def look_back_not_at_all(patch: Patch) -> None:
    patch.setattr(discovery.Discovery, "_after", lambda self, now, full: self.until or now - 1.0)


def take_every_stop_for_a_person(patch: Patch) -> None:
    patch.setattr(facts, "stop_cause", lambda _: "user")


def give_two_keys_one_label(patch: Patch) -> None:
    patch.setattr(labels.KeyNames, "of", lambda keys: labels.KeyNames({key: key.lower() for key in keys}))


def settle_without_the_bill(patch: Patch) -> None:
    patch.setattr(tracker, "_lacks_something", lambda _: False)


def settle_while_a_rule_goes_on(patch: Patch) -> None:
    patch.setattr(TrainingJob, "evaluated", True)


def give_a_bill_up_too_early(patch: Patch) -> None:
    patch.setattr(tracker, "PATIENCE", 80000.0)


def give_a_bill_up_never(patch: Patch) -> None:
    patch.setattr(tracker, "PATIENCE", math.inf)


def give_a_bill_up_by_the_clock_of_the_machine(patch: Patch) -> None:
    described = Reader.described

    def wrong(reader: Reader, job: TrainingJob, now: float, at: float, news: News, doubtful: bool) -> None:
        described(reader, job, reader._health._time(), at, news)

    patch.setattr(Reader, "described", wrong)


def give_up_no_bill_of_a_job_that_is_gone(patch: Patch) -> None:
    patch.setattr(facts.Facts, "last", lambda created: facts.Facts(created, (), {}))


def count_training_seconds_before_the_bill(patch: Patch) -> None:
    patch.setattr(facts.Facts, "training_seconds", property(lambda known: known.value("seconds")))


def count_training_seconds_again_with_a_late_bill(patch: Patch) -> None:
    """That a bill was given up is not kept."""
    write = Tables.write

    def without(record: JobRecord) -> JobRecord:
        known = {name: fact for name, fact in record.facts.known.items() if name != facts.NO_BILL}
        return record._replace(facts=replace(record.facts, known=known))

    def wrong(tables: Tables, update: LedgerUpdate) -> None:
        write(tables, replace(update, records=[without(record) for record in update.records]))

    patch.setattr(Tables, "write", wrong)


def forget_at_a_restart_what_was_open(patch: Patch) -> None:
    """A job that was deleted meanwhile is in no listing."""

    async def nothing(ledger: Ledger, target: Target) -> list[Identity]:
        return []

    patch.setattr(Ledger, "open_jobs", nothing)


def tell_jobs_apart_by_the_millisecond(patch: Patch) -> None:
    for module in (job, sqlite):
        patch.setattr(module, "SAME_JOB_MS", 0)


def never_try_a_denied_job_again(patch: Patch) -> None:
    refuse = Fleet.refuse

    def wrong(fleet: Fleet, name: str, at: float) -> int:
        times = refuse(fleet, name, at)
        fleet.rest(name)
        return times

    patch.setattr(Fleet, "refuse", wrong)


def call_a_denied_job_recorded(patch: Patch) -> None:
    """A restart after a long downtime does not list it again."""
    followed = Fleet.followed

    def recorded_until(poller: Poller) -> float | None:
        with pytest.MonkeyPatch.context() as only_others:
            only_others.setattr(Fleet, "followed", lambda fleet: [f for f in followed(fleet) if not f.refused])
            return right(poller)

    right = Poller._recorded_until
    patch.setattr(Poller, "_recorded_until", recorded_until)


def count_a_job_for_nobody_when_its_tags_are_denied(patch: Patch) -> None:
    tagged = Tagger.tagged

    async def wrong(tagger: Tagger, one: TrainingJob) -> TrainingJob:
        one = await tagged(tagger, one)
        return replace(one, cost_tags=()) if tagger.waits_for(one.name) else one

    patch.setattr(Tagger, "tagged", wrong)


# A seed that found the bug when it was put in; others are tried should histories have changed since.
_BUGS: dict[Callable[[Patch], None], int] = {
    count_again: 0,
    commit_jobs_and_totals_apart: 2,
    drop_what_could_not_be_written: 20,
    show_before_it_is_written: 4,
    trust_a_commit_that_failed: 0,
    take_the_first_of_two_readings_of_a_moment: 1,
    count_a_bucket_too_far: 0,
    prune_by_the_clock_of_the_machine: 13,
    prune_over_jobs_that_were_not_read: 20,
    call_a_job_recorded_when_it_is_found: 74,
    settle_before_the_warm_pool_is_over: 65,
    settle_at_the_end: 1,
    look_back_not_at_all: 0,
    take_every_stop_for_a_person: 0,
    give_two_keys_one_label: 8,
    settle_without_the_bill: 0,
    settle_while_a_rule_goes_on: 7,
    give_a_bill_up_too_early: 4,
    give_a_bill_up_never: 8,
    give_a_bill_up_by_the_clock_of_the_machine: 13,
    give_up_no_bill_of_a_job_that_is_gone: 17,
    count_training_seconds_before_the_bill: 0,
    count_training_seconds_again_with_a_late_bill: 4,
    forget_at_a_restart_what_was_open: 1,
    tell_jobs_apart_by_the_millisecond: 0,
    never_try_a_denied_job_again: 0,
    call_a_denied_job_recorded: 74,
    count_a_job_for_nobody_when_its_tags_are_denied: 15,
}


@pytest.mark.no_cover
# A bug whose seed has another history now is looked for in all seeds.
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("bug", "seed"), _BUGS.items())
def test_bug_is_found(bug: Callable[[Patch], None], seed: int, tmp_path: Path, monkeypatch: Patch) -> None:
    bug(monkeypatch)
    seeds = (seed, *range(_SEEDS))
    assert any(_fails(one, tmp_path / str(n)) for n, one in enumerate(seeds)), f"{_SEEDS} seeds do not find it"


def _fails(seed: int, folder: Path) -> bool:
    with suppress(AssertionError):
        Harness(seed, folder).run()
        return False
    return True
