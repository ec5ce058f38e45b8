"""Test where the server listens, and the error if it cannot."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket

import pytest

from exporter.config import Address
from exporter.web.connection import Connection
from exporter.web.listener import Acceptor, ListenError, bind
from exporter.web.routes import WebOptions
from exporter.web.server import serve
from tests.http.fakes import FakeExporter, connected, exchange, get
from tests.logged import lines

HAS_IPV6 = socket.has_dualstack_ipv6()


def reachable(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=2).close()
    except OSError:
        return False
    return True


async def test_port_0_lets_the_system_choose() -> None:
    async with serve(FakeExporter(), WebOptions(Address("127.0.0.1", 0))) as bound:
        ((host, port),) = bound
        assert host == "127.0.0.1"
        assert port > 0
        assert reachable(host, port)
    assert not reachable(host, port)


async def test_no_host_is_every_interface_by_both_protocols() -> None:
    async with serve(FakeExporter(), WebOptions(Address("", 0))) as bound:
        port = bound[0][1]
        assert reachable("127.0.0.1", port)
        assert reachable("::1", port) is HAS_IPV6


@pytest.mark.parametrize("host", ["", "::"])
async def test_every_address_of_ipv6_takes_ipv4_too(host: str) -> None:
    async with serve(FakeExporter(), WebOptions(Address(host, 0))) as bound:
        ((_, port),) = bound
        assert (await exchange(port, get("/healthz"))).endswith(b"ok\n")
        assert reachable("::1", port) is HAS_IPV6


async def test_several_addresses() -> None:
    addresses = (Address("127.0.0.1", 0), Address("127.0.0.2", 0), Address("127.0.0.1", 0))
    async with serve(FakeExporter(), WebOptions(addresses)) as bound:
        assert [host for host, _ in bound] == ["127.0.0.1", "127.0.0.2", "127.0.0.1"]
        assert all(reachable(host, port) for host, port in bound)
        assert bound[0] != bound[2]
    assert not any(reachable(host, port) for host, port in bound)


def test_of_several_addresses_one_that_cannot_be_bound_is_named_and_none_is_bound() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with pytest.raises(ListenError, match=r"^cannot listen on 203\.0\.113\.77:0: this machine has no such address$"):
        bind(Address("127.0.0.1", port), Address("203.0.113.77", 0))
    assert not reachable("127.0.0.1", port)


def test_addresses_that_overlap_are_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with pytest.raises(ListenError, match=f"^cannot listen on 127.0.0.1:{port}: another --web"):
        bind(Address("", port), Address("127.0.0.1", port))


async def test_a_name_is_bound_on_all_its_addresses_with_one_port() -> None:
    async with serve(FakeExporter(), WebOptions(Address("localhost", 0))) as bound:
        assert len({port for _, port in bound}) == 1
        assert {host for host, _ in bound} <= {"127.0.0.1", "::1"}
        assert all(reachable(host, port) for host, port in bound)


def test_without_ipv6_every_interface_is_ipv4(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.create_server

    def without_ipv6(address: tuple[str, int], *, family: socket.AddressFamily, **options: object) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
        return real(address, family=family)

    monkeypatch.setattr(socket, "create_server", without_ipv6)
    (sock,) = bind(Address("", 0))
    with sock:
        assert sock.family == socket.AF_INET
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: False)
    (sock,) = bind(Address("", 0))
    with sock:
        assert sock.family == socket.AF_INET


def test_a_name_with_one_address_missing_is_bound_on_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, 1, 6, "", ("203.0.113.77", 0)), (socket.AF_INET, 1, 6, "", ("127.0.0.1", 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **options: found)
    (sock,) = bind(Address("somewhere", 0))
    with sock:
        assert sock.getsockname()[0] == "127.0.0.1"


def test_an_address_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ListenError, match=f"^cannot listen on 127.0.0.1:{port}: the address is already in use; "):
            bind(Address("127.0.0.1", port))
        with pytest.raises(ListenError, match=f"^cannot listen on :{port}: the address is already in use; "):
            bind(Address("", port))


def test_an_address_of_another_machine() -> None:
    with pytest.raises(ListenError, match=r"^cannot listen on 203\.0\.113\.77:0: this machine has no such address$"):
        bind(Address("203.0.113.77", 0))


def test_a_host_that_does_not_exist() -> None:
    with pytest.raises(ListenError, match=r"^cannot listen on nowhere\.invalid:1: no such host"):
        bind(Address("nowhere.invalid", 1))


@pytest.mark.parametrize(
    ("number", "reason"), [(errno.EACCES, "not permitted; ports below 1024"), (errno.EPERM, "Operation not")]
)
def test_what_the_system_says_otherwise(number: int, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **options: object) -> socket.socket:
        raise OSError(number, "Operation not permitted")

    monkeypatch.setattr(socket, "create_server", refuse)
    for host in ("", "127.0.0.1"):
        with pytest.raises(ListenError, match=reason):
            bind(Address(host, 80))


async def test_accepting_goes_on_after_errors(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A client that disconnected is ignored; too many open files log a warning and are retried."""
    loop = asyncio.get_running_loop()
    real, errors, slept = loop.sock_accept, [errno.ECONNABORTED, errno.EMFILE], []

    async def failing(sock: socket.socket) -> tuple[socket.socket, object]:
        if errors:
            raise OSError(errors.pop(0), "Too many open files")
        return await real(sock)

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(loop, "sock_accept", failing)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    inner = asyncio.Protocol()
    acceptor = Acceptor(
        lambda: Connection(inner, header_timeout=5, write_timeout=5), lambda: None, limit=5, handshake_timeout=5
    )
    (sock,) = bind(Address("127.0.0.1", 0))
    with sock, caplog.at_level(logging.WARNING):
        task = asyncio.create_task(acceptor.accept(sock))
        async with connected(sock.getsockname()[1]) as (_, writer):
            writer.write(b"x")
            await writer.drain()
        task.cancel()
        await asyncio.wait([task])
        await acceptor.close()
    assert slept == [1]
    assert lines(caplog) == ['msg="connections cannot be accepted" reason="Too many open files"']
