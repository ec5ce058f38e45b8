"""Test that names are resolved in a few separate threads, once per name, and that the exit does not wait for them."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from exporter.aws.resolver import Resolver

HANGS = "dead.example"
LOCAL = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 443))


class NameServer:
    """Respond for every host but one, until `answers` is set."""

    def __init__(self) -> None:
        self.answers = threading.Event()
        self.asked: list[str] = []

    def getaddrinfo(self, host: str, *_: Any, **__: Any) -> list[Any]:
        self.asked.append(host)
        if host.endswith(HANGS):
            self.answers.wait()
        return [LOCAL]


@pytest.fixture
def name_server() -> Iterator[NameServer]:
    server = NameServer()
    yield server
    server.answers.set()


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("resolve ")]


async def test_an_address_is_what_the_system_says(name_server: NameServer) -> None:
    (found,) = await Resolver(5.0, name_server.getaddrinfo).resolve("a.example", 443)
    assert (found["hostname"], found["host"], found["port"]) == ("a.example", "127.0.0.1", 443)
    assert found["family"] == socket.AF_INET


async def test_the_systems_own_resolver_is_asked() -> None:
    found = await Resolver(5.0).resolve("localhost", 80, socket.AddressFamily(socket.AF_UNSPEC))
    assert {one["host"] for one in found} <= {"127.0.0.1", "::1"}
    assert found


async def test_a_hung_lookup_fails_in_time_and_holds_one_thread(name_server: NameServer) -> None:
    resolver = Resolver(0.05, name_server.getaddrinfo)
    for _ in range(3):
        outcomes = await asyncio.gather(*(resolver.resolve(HANGS, 443) for _ in range(20)), return_exceptions=True)
        assert all(isinstance(outcome, socket.gaierror) for outcome in outcomes)
    assert name_server.asked == [HANGS]
    (thread,) = threads()
    assert thread.daemon
    # Others are resolved meanwhile.
    assert await Resolver(5.0, name_server.getaddrinfo).resolve("a.example", 443)


async def test_many_hung_names_hold_few_threads_and_are_resolved_once_they_can_be(name_server: NameServer) -> None:
    resolver = Resolver(0.05, name_server.getaddrinfo)
    names = [f"{number}.{HANGS}" for number in range(50)]
    outcomes = await asyncio.gather(*(resolver.resolve(name) for name in names), return_exceptions=True)
    assert all(isinstance(outcome, socket.gaierror) for outcome in outcomes)
    assert len(threads()) == 16
    name_server.answers.set()
    async with asyncio.timeout(60):
        while threads() or len(name_server.asked) < 50:
            await asyncio.sleep(0.01)
    assert await resolver.resolve(names[0])


async def test_the_default_executor_is_left_alone(name_server: NameServer) -> None:
    resolver = Resolver(0.05, name_server.getaddrinfo)
    await asyncio.gather(*(resolver.resolve(f"{n}.{HANGS}") for n in range(40)), return_exceptions=True)
    async with asyncio.timeout(5):
        assert await asyncio.to_thread(sum, [1, 2]) == 3


@pytest.mark.parametrize(
    "raised", [socket.gaierror(socket.EAI_NONAME, "unknown"), UnicodeError("label too long")], ids=["unknown", "idna"]
)
async def test_a_name_that_cannot_be_resolved_is_an_oserror_and_asked_for_again(raised: Exception) -> None:
    answers: list[Any] = [raised, [LOCAL]]

    def getaddrinfo(*_: Any, **__: Any) -> list[Any]:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return list(answer)

    resolver = Resolver(5.0, getaddrinfo)
    with pytest.raises(socket.gaierror):
        await resolver.resolve("a.example")
    assert await resolver.resolve("a.example")


async def test_without_a_thread_it_fails_and_tries_again(monkeypatch: pytest.MonkeyPatch) -> None:
    resolver = Resolver(5.0, lambda *_, **__: [LOCAL])

    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        with pytest.raises(socket.gaierror):
            await resolver.resolve("a.example")
    assert await resolver.resolve("a.example")


async def test_a_link_local_address_keeps_its_scope() -> None:
    address = (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("fe80::1", 443, 0, 1))
    (found,) = await Resolver(5.0, lambda *_, **__: [address]).resolve("a.example", 443)
    assert found["host"].startswith("fe80::1%")


def test_a_lookup_that_outlives_its_loop_ends_quietly(name_server: NameServer) -> None:
    async def ask() -> None:
        with pytest.raises(socket.gaierror):
            await Resolver(0.05, name_server.getaddrinfo).resolve(HANGS)

    asyncio.run(ask())
    (thread,) = threads()
    name_server.answers.set()
    thread.join(5)
    assert not thread.is_alive()
