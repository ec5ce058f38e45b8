"""Define users, their passwords, and the header for them."""

from __future__ import annotations

import base64

import bcrypt


def hashed(password: str, cost: int = 4) -> str:
    return bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(cost)).decode()


USERS = {"alice": hashed("wonderland"), "zoë": hashed("schlüssel")}


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


ALICE = basic("alice", "wonderland")
