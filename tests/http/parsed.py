"""Parse a status page strictly: known elements only, closed in order."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from urllib.parse import parse_qs, urlsplit

from exporter.web.page import Status, render

VOID = {"meta", "input", "br", "rect"}
ALLOWED = {
    *("html", "head", "meta", "title", "style", "body", "header", "main", "footer", "nav", "form", "h1", "h2", "p"),
    *("a", "dl", "dt", "dd", "div", "span", "table", "caption", "thead", "tbody", "tr", "th", "td", "ul", "li"),
    *("label", "input", "select", "option", "button", "time", "code", "bdi", "br", "svg", "rect", "small", "section"),
}
ATTRIBUTES = {
    *("lang", "charset", "name", "content", "href", "rel", "class", "id", "role", "scope", "method", "action", "type"),
    *("value", "maxlength", "selected", "datetime", "title", "viewbox", "preserveaspectratio", "x", "y"),
    *("width", "height", "data-label", "http-equiv", "inputmode", "for"),
}


class Page(HTMLParser):
    """Parse a page. Fails on unknown elements or attributes, and on elements not closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.rows: list[str] = []
        """The links in the rows of tables."""
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ALLOWED
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names))
        for name in names:
            assert name in ATTRIBUTES or name.startswith("aria-"), name
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag == "a" and "tbody" in self._open:
            self.rows.append(dict(attrs)["href"] or "")
        if tag not in VOID or (tag == "rect" and not (self.get_starttag_text() or "").endswith("/>")):
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1:] != ["style"]:
            self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.texts))

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def names(self) -> list[str]:
        """Return the names of the shown jobs, in order."""
        return [parse_qs(urlsplit(link).query)["name"][0] for link in self.rows]


def shown(status: Status, /, **query: str) -> Page:
    return Page(render(status, query))
