"""Parse commands in documents: the words of each simple command, without the shell syntax around it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from tests.docs.markdown import Block, Document

_OPERATORS = {"|", "||", "&&", ";", ">", "<", "&"}
_ASSIGNMENT = re.compile(r"[A-Z_]+=.*")
SHELLS = ("", "console", "sh", "shell", "bash")


def commands(block: Block) -> Iterator[list[str]]:
    """Yield every command of a block. A backslash continues a line, and $(...) is a command too."""
    for line in re.sub(r"\\\n\s*", "", block.text).splitlines():
        yield from simple(line)


def simple(line: str) -> Iterator[list[str]]:
    """Yield the commands of a line, without comments and assignments."""
    for inner in re.findall(r"\$\(([^()]+)\)", line):
        yield from simple(inner)
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    lexer.commenters = "#"
    words: list[str] = []
    for word in [*lexer, ";"]:
        if word not in _OPERATORS:
            words.append(word)
            continue
        while words and _ASSIGNMENT.fullmatch(words[0]):
            words.pop(0)
        if words and not words[0].startswith("/dev/"):
            yield words
        words = []


def shells(document: Document, programs: set[str]) -> Iterator[Block]:
    """Yield the blocks whose first word is a program."""
    for block in document.blocks:
        first = block.text.split(maxsplit=1)[:1]
        if block.language in SHELLS and first and program(first[0]) in programs:
            yield block


def program(word: str) -> str:
    return word.rpartition("/")[2]
