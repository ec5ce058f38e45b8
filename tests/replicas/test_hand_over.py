"""Test that a target is shown by one replica at a time, whatever happens to its holders."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import psycopg

from tests.ledger.books import TARGET, job, readings
from tests.ledger.fake_postgres import FakeConnection
from tests.replicas.members import Member, member, run, server

OTHER = ("444455556666", "us-east-1")
# Replicas divide targets only with those that have the same ones: of others, each tries to hold all of its own.
OTHERS = (TARGET, OTHER)


async def _hold(one: Member, within: float) -> float:
    """Wait until a replica holds the target; return how long that took."""
    for passed in range(round(10 * within)):
        if one.leases.holds(TARGET):
            return passed / 10
        await asyncio.sleep(0.1)
    raise AssertionError("it is not held")


def test_a_released_target_is_taken_over_at_once() -> None:
    async def scenario() -> None:
        database = server()
        async with member(database, *OTHERS) as second:
            async with member(database, TARGET) as first:
                first.poll(TARGET)
                await _hold(first, 3.0)
                second.poll(TARGET)
                await asyncio.sleep(3.0)
                assert not second.leases.holds(TARGET)
            assert await _hold(second, 20.0) < 2.0

    run(scenario())


async def _lost_by(first: Member) -> None:
    """Let a replica hold the target, and cut it off from the server before it can release it."""
    first.poll(TARGET)
    await _hold(first, 3.0)
    first.end_session()
    first.moment = _unreachable


def _unreachable(connection: FakeConnection, _: str, __: bool) -> None:
    raise connection.cut(silent=True)


def test_a_session_that_was_lost_between_two_looks_gives_up_all_targets() -> None:
    async def scenario() -> None:
        async with member(server(), TARGET) as one:
            one.poll(TARGET)
            await _hold(one, 3.0)
            one.end_session()
            # The write notices it before the next look does.
            await one.ledger.apply(readings(job()))
            assert one.ledger.last_error
            assert one.losses == 0
            await asyncio.sleep(1.5)
            assert one.losses == 1
            await _hold(one, 3.0)
            await one.ledger.apply(readings(job()))
            assert one.ledger.last_error is None

    run(scenario())


def test_a_wait_for_the_last_holder_begins_again_after_a_loss() -> None:
    async def scenario() -> None:
        database = server()
        async with member(database, TARGET) as first, member(database, *OTHERS) as second:
            await _lost_by(first)
            second.poll(TARGET)
            await asyncio.sleep(4.0)
            assert not second.leases.holds(TARGET)
            second.end_session()
            assert await _hold(second, 20.0) > 6.0

    run(scenario())


def test_whoever_comes_after_an_interrupted_wait_waits_for_the_same_holder() -> None:
    async def scenario() -> None:
        database = server()
        async with member(database, TARGET) as first, member(database, *OTHERS) as third:
            await _lost_by(first)
            async with member(database, TARGET) as second:
                second.poll(TARGET)
                await asyncio.sleep(3.0)
                assert not second.leases.holds(TARGET)
            third.poll(TARGET)
            assert await _hold(third, 20.0) > 6.0

    run(scenario())


def test_a_look_that_began_before_a_loss_counts_for_nothing() -> None:
    async def scenario() -> None:
        async with member(server(), TARGET) as one:
            one.poll(TARGET)
            await _hold(one, 3.0)
            look, answered = one.ledger.look, asyncio.Event()

            async def slow(group: int) -> object:
                found = await look(group)
                await answered.wait()
                return found

            one.ledger.look = slow  # type: ignore[method-assign,assignment]
            await asyncio.sleep(7.0)
            one.leases.check()
            answered.set()
            assert one.losses == 1
            one.ledger.look = look  # type: ignore[method-assign]
            await asyncio.sleep(0.1)
            assert not one.leases.holds(TARGET)
            await _hold(one, 5.0)

    run(scenario())


def test_a_block_that_ends_slowly_after_a_loss_does_not_stand_for_a_lock() -> None:
    async def scenario() -> None:
        database = server()
        async with member(database, TARGET) as one:
            one.poll(TARGET, ending=4.0)
            one.poll(TARGET)
            await _hold(one, 3.0)
            one.end_session()
            await asyncio.sleep(12.0)
            assert one.leases.holds(TARGET)
            assert len(database.locks) == 2

    run(scenario())


def test_a_target_that_cannot_be_released_does_not_stay_locked() -> None:
    async def scenario() -> None:
        database = server()
        async with member(database, TARGET, OTHER) as one:
            polling = one.poll(TARGET)
            await _hold(one, 3.0)

            def full(connection: FakeConnection, statement: str, executed: bool) -> None:
                if statement.startswith("DELETE FROM holder") and not executed:
                    raise psycopg.errors.DiskFull("no space")

            one.moment = full
            polling.cancel()
            await asyncio.sleep(0.5)
            assert not database.locks

    run(scenario())


def test_totals_of_a_lost_target_are_forgotten_also_without_marks() -> None:
    async def scenario() -> None:
        async with member(server(), TARGET, OTHER) as one:
            one.poll(TARGET)
            await _hold(one, 3.0)
            assert one.ledger.targets() == [TARGET]
            assert not one.ledger.marks(TARGET).discovered_until
            await one.ledger.lose()
            assert one.ledger.targets() == []
            await one.ledger.hold(OTHER)
            await one.ledger.begin(OTHER)
            assert one.ledger.targets() == [OTHER]

    run(scenario())


def test_a_reading_of_a_target_that_is_not_held_keeps_no_other_from_being_written() -> None:
    async def scenario() -> None:
        async with member(server(), TARGET, OTHER) as one:
            one.poll(TARGET)
            await _hold(one, 3.0)
            elsewhere = replace(job("elsewhere"), account=OTHER[0], region=OTHER[1])
            await one.ledger.apply(readings(job(), elsewhere), {OTHER: 1.0})
            assert one.ledger.last_error is None
            assert one.ledger.pending == 0
            assert one.ledger.targets() == [TARGET]

    run(scenario())


def test_a_target_of_a_reload_is_expected_until_a_look_has_assigned_it_and_the_old_one_stays() -> None:
    async def scenario() -> None:
        old, new = "/".join(TARGET), "/".join(OTHER)
        async with member(server(), TARGET) as one:
            one.poll(TARGET)
            await _hold(one, 3.0)
            one.leases.share([old, new])
            # Its pollers are awaited, although it is assigned to nobody yet.
            assert one.leases.expects(new, OTHER)
            await asyncio.sleep(2.0)
            assert one.leases.expects(new, OTHER)
            assert one.leases.holds(TARGET)
            one.leases.share([new])
            await asyncio.sleep(2.0)
            assert not one.leases.holds(TARGET)

    run(scenario())
