"""Run each measured subject in its own process, which is controlled over a pipe."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

from exporter.clock import SystemClock
from exporter.simulator import Simulator, steady

Readings = dict[str, Any]
Environment = Mapping[str, str]
ACCOUNT, REGION = "123456789012", "us-east-1"
# Long enough for the slowest subject, boto3 with ten thousand jobs on a busy machine.
_PATIENCE = 600.0


class Child:
    """A child process: it sends a message when it is ready, and a response to each request."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self.first = self._answer()

    def ask(self, question: str = "") -> Readings:
        self._pipe.send(question)
        return self._answer()

    def _answer(self) -> Readings:
        if not self._pipe.poll(_PATIENCE):
            raise TimeoutError("a process that is measured says nothing")
        answer: Readings = self._pipe.recv()
        return answer


@contextmanager
def child(work: Callable[..., None], environment: Environment, *arguments: Any) -> Iterator[Child]:
    """Run `work(pipe, *arguments)` in a child process until the block ends."""
    context = get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_begin, args=(there, environment, work, *arguments), daemon=True)
    process.start()
    there.close()
    try:
        yield Child(here)
    finally:
        process.terminate()
        process.join()
        here.close()


def _begin(pipe: Connection, environment: Environment, work: Callable[..., None], *arguments: Any) -> None:
    os.environ.update(environment)
    work(pipe, *arguments)


async def answer(pipe: Connection, respond: Callable[[str], Awaitable[Readings]]) -> None:
    """Respond to the requests of the parent; to be called in the child."""
    while True:
        pipe.send(await respond(await asyncio.to_thread(pipe.recv)))


@contextmanager
def simulator(jobs: int) -> Iterator[tuple[Environment, Child]]:
    """Run a simulated SageMaker with this many active jobs. Yield the environment that points an SDK to it, and the
    child that reports the calls it received."""
    with child(_simulate, {}, jobs) as started:
        environment = {
            "AWS_ENDPOINT_URL": started.first["url"],
            "AWS_ACCESS_KEY_ID": started.first["key"],
            "AWS_SECRET_ACCESS_KEY": "none",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }
        yield environment, started


def _simulate(pipe: Connection, jobs: int) -> None:
    async def serve() -> None:
        clock = SystemClock()
        async with Simulator(clock=clock, accounts=[ACCOUNT], regions=[REGION]) as sim:
            sim.store.add(ACCOUNT, REGION, *steady(jobs - 1, clock.time() - 7200), *steady(1, clock.time(), "newest"))

            async def calls(_: str) -> Readings:
                return {operation: count for (*_, operation), count in sim.calls.items()}

            pipe.send({"url": sim.url, "key": sim.access_key(ACCOUNT)})
            await answer(pipe, calls)

    asyncio.run(serve())
