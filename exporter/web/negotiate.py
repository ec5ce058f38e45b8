"""Negotiates the exposition format by Accept, and gzip by Accept-Encoding (RFC 9110, section 12)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Format:
    """An exposition format and its Content-Type."""

    openmetrics: bool
    content_type: str


PROMETHEUS_TEXT = Format(False, "text/plain; version=0.0.4; charset=utf-8")
OPENMETRICS_1 = Format(True, "application/openmetrics-text; version=1.0.0; charset=utf-8")
OPENMETRICS_0 = Format(True, "application/openmetrics-text; version=0.0.1; charset=utf-8")

# By media type and version in Accept. Prometheus 3 also accepts protobuf and text 1.0.0, which are not supported.
_SPOKEN = {
    ("application/openmetrics-text", "1.0.0"): OPENMETRICS_1,
    ("application/openmetrics-text", "0.0.1"): OPENMETRICS_0,
    ("application/openmetrics-text", ""): OPENMETRICS_1,
    ("application/*", ""): OPENMETRICS_1,
    ("text/plain", "0.0.4"): PROMETHEUS_TEXT,
    ("text/plain", ""): PROMETHEUS_TEXT,
    ("text/*", ""): PROMETHEUS_TEXT,
    ("*/*", ""): PROMETHEUS_TEXT,
}


def exposition_format(accept: str) -> Format:
    """Return the supported format with the highest q, the first one of equals; Prometheus text if there is none."""
    best, best_q = PROMETHEUS_TEXT, 0.0
    for media_type, parameters in _elements(accept):
        spoken = _SPOKEN.get((media_type, parameters.get("version", "")))
        q = _quality(parameters)
        if spoken is not None and q > best_q:
            best, best_q = spoken, q
    return best


def accepts_gzip(accept_encoding: str) -> bool:
    """Return whether the client accepts gzip and does not prefer plain text."""
    q = {coding: _quality(parameters) for coding, parameters in _elements(accept_encoding)}
    gzip = q.get("gzip", q.get("x-gzip", q.get("*", 0.0)))
    return gzip > 0 and gzip >= q.get("identity", 0.0)


def _elements(header: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the elements of a header with their parameters, all in lower case."""
    for element in header.lower().split(","):
        value, *parameters = element.split(";")
        pairs = (parameter.partition("=") for parameter in parameters)
        yield value.strip(), {name.strip(): text.strip().strip('"') for name, _, text in pairs}


def _quality(parameters: dict[str, str]) -> float:
    """Return the q of an element, 1 by default. A malformed q is 0: the element is not acceptable."""
    try:
        q = float(parameters.get("q", "1"))
    except ValueError:
        return 0.0
    return q if 0.0 <= q <= 1.0 else 0.0
