"""Define bugs of the ledger, to be injected on purpose."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
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
from exporter.training import cost, facts, job
from exporter.training.facts import Dated
from exporter.training.job import Identity

Patch = pytest.MonkeyPatch


def count_again(patch: Patch) -> None:
    """Add the whole job with every reading."""
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
    """Ignore seconds that grow while LastModifiedTime does not change."""

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


def take_every_stop_for_a_person(patch: Patch) -> None:
    patch.setattr(facts, "stop_cause", lambda _: "user")


def give_two_keys_one_label(patch: Patch) -> None:
    patch.setattr(labels.KeyNames, "of", lambda keys: labels.KeyNames({key: key.lower() for key in keys}))


def give_up_no_bill_of_a_job_that_is_gone(patch: Patch) -> None:
    patch.setattr(facts.Facts, "last", lambda created: facts.Facts(created, (), {}))


def count_training_seconds_before_the_bill(patch: Patch) -> None:
    patch.setattr(facts.Facts, "training_seconds", property(lambda known: known.value("seconds")))


def count_training_seconds_again_with_a_late_bill(patch: Patch) -> None:
    """Do not record that a bill was given up."""
    write = Tables.write

    def without(record: JobRecord) -> JobRecord:
        known = {name: fact for name, fact in record.facts.known.items() if name != facts.NO_BILL}
        return record._replace(facts=replace(record.facts, known=known))

    def wrong(tables: Tables, update: LedgerUpdate) -> None:
        write(tables, replace(update, records=[without(record) for record in update.records]))

    patch.setattr(Tables, "write", wrong)


def forget_at_a_restart_what_was_open(patch: Patch) -> None:
    """Forget unsettled jobs at a restart: those deleted meanwhile are in no listing."""

    async def nothing(ledger: Ledger, target: Target) -> list[Identity]:
        return []

    patch.setattr(Ledger, "open_jobs", nothing)


def tell_jobs_apart_by_the_millisecond(patch: Patch) -> None:
    for module in (job, sqlite):
        patch.setattr(module, "SAME_JOB_MS", 0)


def price_anew_at_each_reading(patch: Patch) -> None:
    patch.setattr(facts, "priced", lambda _, wanted, prepaid, find: cost.priced({}, wanted, prepaid, find))


def price_nothing_later(patch: Patch) -> None:
    """Never price a job that had no price when it was read."""

    async def nothing(ledger: Ledger, target: Target) -> None: ...

    patch.setattr(Ledger, "price", nothing)


def forget_prices_that_could_not_be_written(patch: Patch) -> None:
    price = Ledger.price

    async def once(ledger: Ledger, target: Target) -> None:
        await price(ledger, target)
        ledger._repriced.pop(target, None)

    patch.setattr(Ledger, "price", once)


def count_money_in_floats(patch: Patch) -> None:
    def inexact(rate: cost.Rate, instance_seconds: Fraction) -> Fraction:
        return Fraction(float(instance_seconds) * float(rate.per_hour) / 3600)

    patch.setattr(cost.Rate, "cost", inexact)


def keep_no_rates(patch: Patch) -> None:
    """Do not store rates: after a restart a job is priced by the current price list."""
    patch.setattr(cost, "to_json", lambda rates: [])


def bill_a_training_plan(patch: Patch) -> None:
    patch.setattr(facts, "priced", lambda rates, wanted, _, find: cost.priced(rates, wanted, False, find))
