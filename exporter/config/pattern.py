"""Compiles regular expressions from the configuration, and matches them in linear time."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, field
from typing import Any

import re2

# Bytes that a compiled pattern may use; larger ones are rejected.
_MEMORY = 8 << 20
# Syntax with different meanings in the two engines: \Z, {,n} and [ within a set. Other escapes are matched too, and
# kept as they are, so that an escaped backslash or bracket is not taken for one of these.
_DIFFERENCES = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\{,(?=[0-9]*\})", re.DOTALL)
_INNER_BRACKET = re.compile(r"(\\.)|\[", re.DOTALL)


class PatternError(ValueError):
    """A pattern cannot be used. The message says why; `supported` is False if Python accepts it but RE2 does not."""

    def __init__(self, message: str, *, supported: bool = True) -> None:
        super().__init__(message)
        self.supported = supported


@dataclass(frozen=True, slots=True)
class Pattern:
    """A regular expression in the common syntax of Python and RE2, with Python's meaning. Raises PatternError.

    RE2 does the matching: Python's engine backtracks, and takes years to match "([a-z0-9]+-?)+" against some names of
    63 characters.
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
    """Parse a pattern with Python, which rejects syntax that only RE2 has and gives the position of an error."""
    try:
        # FutureWarnings about ambiguous sets do not concern RE2.
        with warnings.catch_warnings(action="ignore"):
            re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise PatternError(str(error)) from None


def _as_re2_reads(found: re.Match[str]) -> str:
    """Return the RE2 syntax that means what Python means by a match of `_DIFFERENCES`."""
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
