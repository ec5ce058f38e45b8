"""Defines the error whose message is written for the user."""


class UserError(Exception):
    """A failure that the user can mend. The message says what failed, where, and what to do, and holds no secrets."""
