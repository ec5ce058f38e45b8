"""What a client can read: the exposition format by Accept, gzip by Accept-Encoding (RFC 9110, section 12)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Format:
    """One exposition format and the Content-Type that names it."""

    openmetrics: bool
    content_type: str


PROMETHEUS_TEXT = Format(False, "text/plain; version=0.0.4; charset=utf-8")
OPENMETRICS_1 = Format(True, "application/openmetrics-text; version=1.0.0; charset=utf-8")
OPENMETRICS_0 = Format(True, "application/openmetrics-text; version=0.0.1; charset=utf-8")

# (media type, version) as asked for. Prometheus 3 also offers protobuf and text 1.0.0: not spoken here.
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
    """The format of the highest q, among equals the one named first; Prometheus text if nothing fits."""
    best, best_q = PROMETHEUS_TEXT, 0.0
    for media_type, parameters in _elements(accept):
        spoken = _SPOKEN.get((media_type, parameters.get("version", "")))
        q = _quality(parameters)
        if spoken is not None and q > best_q:
            best, best_q = spoken, q
    return best


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether gzip is welcome, and no less than the plain text."""
    q = {coding: _quality(parameters) for coding, parameters in _elements(accept_encoding)}
    gzip = q.get("gzip", q.get("x-gzip", q.get("*", 0.0)))
    return gzip > 0 and gzip >= q.get("identity", 0.0)


def _elements(header: str) -> Iterator[tuple[str, dict[str, str]]]:
    for element in header.lower().split(","):
        value, *parameters = element.split(";")
        pairs = (parameter.partition("=") for parameter in parameters)
        yield value.strip(), {name.strip(): text.strip().strip('"') for name, _, text in pairs}


def _quality(parameters: dict[str, str]) -> float:
    """The q of an element; a broken one counts as 0, so that it asks for nothing."""
    try:
        q = float(parameters.get("q", "1"))
    except ValueError:
        return 0.0
    return q if 0.0 <= q <= 1.0 else 0.0
