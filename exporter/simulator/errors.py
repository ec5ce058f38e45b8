"""Define the errors of the simulated API."""

from __future__ import annotations


class ApiError(Exception):
    """An error response: the error code for clients, the message for people, and the HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
