"""Adds to argparse: errors when help cannot be written, flags that may be given only once, numbers within limits."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from exporter.process import output

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

_Number = TypeVar("_Number", int, float)


class Parser(argparse.ArgumentParser):
    """A parser that raises OutputError when its help or version cannot be written."""

    # Overrides what argparse prints everything with; it would ignore a failed write.
    def _print_message(self, message: str, file: SupportsWrite[str] | None = None) -> None:
        if file is sys.stdout:
            output.say(message.rstrip("\n"))
        else:
            output.complain(message.rstrip("\n"))


def single() -> type[argparse.Action]:
    """Return an action that stores a value and rejects a second one for the same flag.

    All parsers that use the returned action share its memory: a flag may not be given before and after a command.
    """
    seen: set[str] = set()

    class Single(argparse.Action):
        def __call__(
            self,
            parser: argparse.ArgumentParser,
            namespace: argparse.Namespace,
            values: str | Sequence[Any] | None,
            option_string: str | None = None,
        ) -> None:
            if self.dest in seen:
                parser.error(f"argument {option_string}: may be given only once")
            seen.add(self.dest)
            setattr(namespace, self.dest, values)

    return Single


def parsed(parse: Callable[[str], _Number], allowed: str) -> Callable[[str], _Number]:
    """Return `parse` for the `type` of a flag. Where it raises ValueError, the error says what is `allowed`."""

    def checked(text: str) -> _Number:
        try:
            return parse(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not {allowed}") from None

    return checked


def within(kind: Callable[[str], _Number], least: _Number, most: _Number) -> Callable[[str], _Number]:
    """Return a parser of numbers from `least` to `most`, for the `type` of a flag."""

    def parse(text: str) -> _Number:
        try:
            value = kind(text)
        except ValueError:
            value = None
        # A NaN fails the comparison too.
        if value is None or not least <= value <= most:
            noun = "a whole number" if kind is int else "a number"
            raise argparse.ArgumentTypeError(f"{text!r} is not {noun} from {least} to {most}")
        return value

    return parse
