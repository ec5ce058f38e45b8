"""Choose ports for programs that cannot choose one themselves, or that are started again on the same one."""

from __future__ import annotations

import random
import socket

# The system gives ports of 32768 and more to connections, and might give one away before the program listens on it.
_PORTS = range(10_000, 32_768)
# Tests set the seed of `random`: several processes would choose the same ports.
_CHANCE = random.SystemRandom()


def free_port() -> int:
    """Return a port on which nothing listens."""
    while True:
        port = _CHANCE.choice(_PORTS)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port
