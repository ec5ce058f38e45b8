"""The addresses to listen on: a record, and the validators that read it from text."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from exporter.config.problems import quote
from exporter.config.syntax import distinct, refused

_ADDRESS = re.compile(r"(?:\[(?P<v6>[^\[\]]+)\]|(?P<host>[A-Za-z0-9._-]*)):(?P<port>[0-9]{1,5})")
_ADDRESSES = ":9841, 127.0.0.1:9841, localhost:9841 or [::1]:9841"


@dataclass(frozen=True, slots=True)
class Address:
    """An address to listen on. An empty host means all addresses of the machine, port 0 one that the system picks."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse(value: object) -> Address:
    """Parse HOST:PORT, with an IPv6 address in brackets and an empty host for all addresses."""
    if isinstance(value, Address):
        return value
    try:
        match = _ADDRESS.fullmatch(value) if isinstance(value, str) else None
        if match is None or int(match["port"]) > 65535:
            raise ValueError("not HOST:PORT")
        return Address(_host(match), int(match["port"]))
    except ValueError:
        raise refused(f"{quote(value)} is not an address to listen on", _ADDRESSES) from None


def distinct_addresses(addresses: tuple[Address, ...]) -> tuple[Address, ...]:
    """Validate that a list of addresses has one address or more, and no duplicates."""
    if not addresses:
        raise refused("is empty", f"one address or more: {_ADDRESSES}")
    # Port 0 is a different one each time.
    distinct(tuple(str(address) for address in addresses if address.port))
    return addresses


def _host(match: re.Match[str]) -> str:
    if match["v6"]:
        return str(ipaddress.IPv6Address(match["v6"]))
    if match["host"].replace(".", "").isdigit():
        return str(ipaddress.IPv4Address(match["host"]))
    match["host"].encode("idna")  # raises a ValueError for a name that cannot be resolved
    return match["host"]
