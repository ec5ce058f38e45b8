"""Parse the project's documents as readers see them: links, headings, code blocks and inline code."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.prometheus import ROOT

_PARSER = MarkdownIt("commonmark").enable("table")


class Block(NamedTuple):
    """Hold a code block: its language ("" if it is only indented), its text, and its first line number."""

    language: str
    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Document:
    """Hold one Markdown file."""

    path: Path
    links: tuple[str, ...]
    anchors: frozenset[str]
    blocks: tuple[Block, ...]
    spans: tuple[str, ...]

    @property
    def name(self) -> str:
        return str(self.path.relative_to(ROOT))


def documents() -> list[Document]:
    """Return every document of the project, without those in hidden and generated folders."""
    folders = (
        folder for folder in ("docs", "deploy", "tests", "exporter", "hack", "benchmarks") if (ROOT / folder).is_dir()
    )
    found = [*ROOT.glob("*.md"), *(path for folder in folders for path in (ROOT / folder).rglob("*.md"))]
    return [read(path) for path in sorted(found)]


def read(path: Path) -> Document:
    tokens = _PARSER.parse(path.read_text())
    inline = [child for token in tokens if token.type == "inline" for child in token.children or []]
    return Document(
        path,
        tuple(link for token in inline if (link := _target(token)) is not None),
        frozenset(_anchors(tokens)),
        tuple(
            Block(token.info.strip(), token.content, (token.map or [0])[0] + 1)
            for token in tokens
            if token.type in ("fence", "code_block")
        ),
        tuple(token.content for token in inline if token.type == "code_inline"),
    )


def queries(block: Block) -> list[Block]:
    """Return the queries of a block of PromQL. Lines that are comments stand between them."""
    found: list[Block] = []
    fresh = True
    for number, line in enumerate(block.text.splitlines()):
        if line.startswith("#"):
            fresh = True
        elif fresh:
            found.append(Block(block.language, line, block.line + number))
            fresh = False
        else:
            found[-1] = found[-1]._replace(text=f"{found[-1].text}\n{line}")
    return found


def _target(token: Token) -> str | None:
    found = token.attrs.get({"link_open": "href", "image": "src"}.get(token.type, ""))
    return found if isinstance(found, str) else None


def anchor(heading: str) -> str:
    """Return the anchor that GitHub makes of a heading that is unique in its document."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _anchors(tokens: list[Token]) -> Iterator[str]:
    """Return the anchors that GitHub makes of headings: lower case, no punctuation, numbered if repeated."""
    seen: Counter[str] = Counter()
    for opening, content in pairwise(tokens):
        if opening.type == "heading_open":
            text = "".join(child.content for child in content.children or [])
            slug = anchor(text)
            yield f"{slug}-{seen[slug]}" if seen[slug] else slug
            seen[slug] += 1
