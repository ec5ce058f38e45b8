"""Format durations, sizes and tables as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def duration(seconds: float) -> str:
    """Return seconds with a unit and three digits."""
    if seconds >= 1:
        return f"{seconds:.1f} s"
    return f"{seconds * 1e3:.3g} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.0f} µs"


def size(count: float) -> str:
    """Return bytes with a unit."""
    return f"{count / 1e6:.0f} MB" if count >= 1e7 else f"{count / 1e3:.0f} kB"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines) + "\n"


def updated(document: str, text: str) -> str:
    """Return a report with the sections of `text` instead of its own ones; new sections come last."""
    before, after = _sections(document), _sections(text)
    beginning = before.pop("", "") or after[""]
    after.pop("")
    return "".join([beginning, *(before | after).values()]).rstrip("\n") + "\n"


def _sections(document: str) -> dict[str, str]:
    """Return the sections of a report by their headings; what comes before them has none."""
    first, *others = re.split(r"^(?=## )", document, flags=re.MULTILINE)
    parts = [part if part.endswith("\n\n") or not part else part.rstrip("\n") + "\n\n" for part in (first, *others)]
    return {part.splitlines()[0] if number else "": part for number, part in enumerate(parts)}
