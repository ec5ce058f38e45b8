"""Test that every link in the documents has a target, and that every file they name exists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.docs.markdown import Document, documents, read
from tests.prometheus import ROOT

DOCUMENTS = documents()
PLACE = re.compile(r"(?:deploy|docs|exporter|tests|hack)/[\w./-]*\w/?")
ELSEWHERE = ("http://", "https://", "mailto:")


def broken(document: Document) -> Iterator[str]:
    for link in document.links:
        if link.startswith(ELSEWHERE):
            continue
        path, _, anchor = unquote(link).partition("#")
        target = document.path.parent / path if path else document.path
        if not target.exists() or (anchor and anchor not in read(target).anchors):
            yield link


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_every_link_leads_somewhere(document: Document) -> None:
    assert list(broken(document)) == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_every_file_that_is_named_is_there(document: Document) -> None:
    named = {span for span in document.spans if PLACE.fullmatch(span)}
    assert {place for place in named if not (ROOT / place).exists()} == set()


def test_every_document_can_be_reached_from_the_readme() -> None:
    by_path = {document.path: document for document in DOCUMENTS}
    reached, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        here = waiting.pop()
        reached.add(here)
        targets = {(here.parent / link.partition("#")[0]).resolve() for link in by_path[here].links}
        waiting += [target for target in targets if target in by_path and target not in reached]
    # Documents beside tests and tools are not for users.
    missed = {document.name for document in DOCUMENTS if document.path not in reached}
    assert {name for name in missed if not name.startswith(("tests/", "hack/", "benchmarks/"))} == set()


def test_a_broken_link_and_a_broken_anchor_are_found(tmp_path: Path) -> None:
    file = tmp_path / "a.md"
    file.write_text(
        "# One `two` three!\n\n# Same\n\n# Same\n\n"
        "[a](#one-two-three) [b](#same-1) [c](a.md#same) [d](https://example.org/x)\n"
        "[e](#gone) [f](gone.md) [g](a.md#same-2) ![h](gone.png) `[i](code.md)`\n\n    [j](code.md)\n"
    )
    assert list(broken(read(file))) == ["#gone", "gone.md", "a.md#same-2", "gone.png"]
