"""Regular expressions that a user wrote, matched in time that grows with the length of the text only."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, field
from typing import Any

import re2

# What one pattern may take; larger ones are refused.
_MEMORY = 8 << 20
# What both engines accept and read differently: \Z, {,n} and [ within a set. Other escapes are kept as they are.
_DIFFERENCES = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\{,(?=[0-9]*\})", re.DOTALL)
_INNER_BRACKET = re.compile(r"(\\.)|\[", re.DOTALL)


class PatternError(ValueError):
    """A pattern cannot be used; the message says why. `supported` is False for one that only Python would take."""

    def __init__(self, message: str, *, supported: bool = True) -> None:
        super().__init__(message)
        self.supported = supported


@dataclass(frozen=True, slots=True)
class Pattern:
    """A regular expression in the syntax that Python and RE2 share, with Python's meaning. Raises PatternError.

    RE2 matches it: Python's engine backtracks, and takes years for "([a-z0-9]+-?)+" and some names of 63 characters.
    """

    text: str
    _compiled: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _check(self.text)
        options = re2.Options()
        options.log_errors, options.max_mem = False, _MEMORY
        try:
            compiled = re2.compile(_DIFFERENCES.sub(_as_re2_reads, self.text), options=options)
        except (re2.error, UnicodeEncodeError) as error:
            raise PatternError(_reason(error), supported=False) from None
        object.__setattr__(self, "_compiled", compiled)

    def matches(self, text: str) -> bool:
        """Return whether the pattern matches the whole text."""
        return self._compiled.fullmatch(text.encode(errors="surrogatepass")) is not None


def _check(text: str) -> None:
    """Python's parser refuses what only RE2 has, and says where a mistake is."""
    try:
        with warnings.catch_warnings(action="ignore"):
            re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise PatternError(str(error)) from None


def _as_re2_reads(found: re.Match[str]) -> str:
    part = found[0]
    if part == r"\Z":
        return r"\z"
    if part == "{,":
        return "{0,"
    if part.startswith("["):
        return "[" + _INNER_BRACKET.sub(lambda inner: inner[1] or r"\[", part[1:])
    return part


def _reason(error: Exception) -> str:
    said = error.args[0] if error.args else b""
    return said.decode(errors="replace") if isinstance(said, bytes) else "a character that is not UTF-8"
