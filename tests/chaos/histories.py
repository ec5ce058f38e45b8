"""Let things happen to replicas and to their database, as random numbers decide."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

from tests.chaos.fleet import KILLED, SUSPENDED, Fleet
from tests.postgres import Server

# In seconds: less than a replica may show its targets without the store, less than the server lets a session be silent,
# and more than that.
_SUSPENSIONS = ((2.0, 4.0), (6.0, 9.0), (11.0, 13.0))
_DOWN = 3.0
# Less than a replica waits for an answer, and more than that.
_HANGS = ((2.0, 4.0), (7.0, 13.0))


async def happen(replicas: Fleet, server: Server, rng: random.Random) -> None:
    """Let one thing happen, wait until all targets are shown again, and start what is not running any more."""
    number = len(replicas.alive)
    await rng.choice(_EVENTS)(replicas, server, rng)
    late = rng.random() < 0.5
    if late:
        await replicas.all_shown()
    while len(replicas.alive) < number:
        await replicas.start()
    await replicas.all_shown()
    await asyncio.sleep(rng.uniform(0, 2))


async def _kill(replicas: Fleet, _: Server, rng: random.Random) -> None:
    await replicas.kill(rng.choice(replicas.alive))


async def _kill_two(replicas: Fleet, _: Server, rng: random.Random) -> None:
    await replicas.kill(rng.choice(replicas.alive))
    await asyncio.sleep(rng.uniform(0, 4))
    await replicas.kill(rng.choice(replicas.alive))


async def _suspend(replicas: Fleet, _: Server, rng: random.Random) -> None:
    await replicas.suspend(rng.choice(replicas.alive), rng.uniform(*rng.choice(_SUSPENSIONS)))


async def _kill_beside_a_suspended_one(replicas: Fleet, _: Server, rng: random.Random) -> None:
    suspended, killed = rng.sample(replicas.alive, 2)
    seconds = rng.uniform(*rng.choice(_SUSPENSIONS))
    pause = rng.uniform(0, seconds)
    suspension = asyncio.create_task(replicas.suspend(suspended, seconds))
    await asyncio.sleep(pause)
    await replicas.kill(killed)
    await suspension


async def _terminate(replicas: Fleet, _: Server, rng: random.Random) -> None:
    await replicas.terminate(rng.choice(replicas.alive))


async def _restart_the_database(replicas: Fleet, server: Server, rng: random.Random) -> None:
    replicas.fault("stop of the database", KILLED)
    await asyncio.to_thread(server.stop, "immediate")
    await asyncio.sleep(rng.uniform(0, _DOWN))
    await asyncio.to_thread(server.start)
    replicas.fault("start of the database", KILLED)


async def _kill_while_the_database_restarts(replicas: Fleet, server: Server, rng: random.Random) -> None:
    delay = rng.uniform(0, _DOWN)
    restart = asyncio.create_task(_restart_the_database(replicas, server, rng))
    await asyncio.sleep(delay)
    await replicas.kill(rng.choice(replicas.alive))
    await restart


async def _terminate_while_the_database_is_down(replicas: Fleet, server: Server, rng: random.Random) -> None:
    replicas.fault("stop of the database", KILLED)
    await asyncio.to_thread(server.stop, "immediate")
    await replicas.terminate(rng.choice(replicas.alive))
    await asyncio.to_thread(server.start)
    replicas.fault("start of the database", KILLED)


async def _hang_the_database(replicas: Fleet, server: Server, rng: random.Random) -> None:
    replicas.fault("the database hangs", KILLED)
    with server.suspended():
        await asyncio.sleep(rng.uniform(*rng.choice(_HANGS)))
    replicas.fault("the database answers", KILLED)


async def _terminate_while_the_database_hangs(replicas: Fleet, server: Server, rng: random.Random) -> None:
    replicas.fault("the database hangs", KILLED)
    with server.suspended():
        await asyncio.sleep(rng.uniform(0, _DOWN))
        await replicas.terminate(rng.choice(replicas.alive))
    # The replica that is started may be given a target for whose silent holder another one waits, and waits again.
    replicas.fault("the database answers", SUSPENDED)


_EVENTS: tuple[Callable[[Fleet, Server, random.Random], Awaitable[None]], ...] = (
    _kill,
    _kill_two,
    _suspend,
    _kill_beside_a_suspended_one,
    _terminate,
    _restart_the_database,
    _kill_while_the_database_restarts,
    _terminate_while_the_database_is_down,
    _hang_the_database,
    _terminate_while_the_database_hangs,
)
