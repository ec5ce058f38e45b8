"""Writes the output of commands, without tracebacks for a closed pipe, a full device or an ASCII locale."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import TextIO


class OutputError(Exception):
    """Standard output cannot be written. The message says why."""


class ReaderGoneError(OutputError):
    """The reader of the output has closed it, as `head` does."""


def say(text: str) -> None:
    """Print a line on standard output. Raises OutputError."""
    write([_encoded(f"{text}\n", sys.stdout)])


def write(pieces: Iterable[bytes]) -> None:
    """Write to standard output. Raises OutputError."""
    if sys.stdout is None:
        raise OutputError("cannot write the output: standard output is closed")
    try:
        # Pieces bypass the text layer: write what it has buffered first.
        sys.stdout.flush()
        for piece in pieces:
            sys.stdout.buffer.write(piece)
        sys.stdout.flush()
    except BrokenPipeError as error:
        _discard(sys.stdout)
        raise ReaderGoneError("cannot write the output: its reader has closed it") from error
    except OSError as error:
        _discard(sys.stdout)
        raise OutputError(f"cannot write the output: {error.strerror}") from error


def complain(text: str) -> None:
    """Print a line on standard error; failures are ignored, since there is nowhere left to report them."""
    if sys.stderr is None:
        return
    try:
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()
    except OSError:
        _discard(sys.stderr)


def _encoded(text: str, stream: TextIO | None) -> bytes:
    return text.encode((stream and stream.encoding) or "utf-8", "backslashreplace")


def _discard(stream: TextIO) -> None:
    """Redirect a stream to /dev/null: Python flushes it at exit, and would report another error."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
