"""Check what an API server checks beyond its schemas: names, labels, uniqueness, scrape timeouts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from tests.deploy.kubernetes import Object

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(rf"{_LABEL.pattern}(\.{_LABEL.pattern})*")
_SERVICE = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_KEY = re.compile(rf"({_SUBDOMAIN.pattern}/)?[A-Za-z0-9]([-A-Za-z0-9_.]{{0,61}}[A-Za-z0-9])?")
_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_ENV = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")
_UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000, "y": 31_536_000_000}
# Keys under which another object is named, in the objects of this project.
_REFERENCES = {"claimName", "priorityClassName", "secretName", "serviceAccountName", "serviceName"}
_LABELS = {"labels", "matchLabels", "nodeSelector"}


def violations(thing: Object) -> list[str]:
    """Return what the API server, or for a monitor the Prometheus operator, refuses in this object."""
    # The labels in the rules are those of Prometheus.
    keyed = _keyed(thing["metadata"] if thing["kind"] == "PrometheusRule" else thing)
    return [f"{thing['kind']}: {found}" for found in (*_named(thing), *keyed, *_repeated(thing), *_timed(thing))]


def milliseconds(duration: str) -> int:
    """Return the length of a Prometheus duration."""
    return sum(int(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+)(ms|[ywdhms])", duration))


def _named(thing: Object) -> Iterator[str]:
    name = thing["metadata"]["name"]
    pattern, limit = (_SERVICE, 63) if thing["kind"] == "Service" else (_SUBDOMAIN, 253)
    if not isinstance(name, str) or len(name) > limit or not pattern.fullmatch(name):
        yield f"the name {name!r}"
    if not isinstance(thing["metadata"]["namespace"], str):
        yield f"the namespace {thing['metadata']['namespace']!r}"


def _keyed(node: Any, key: str = "") -> Iterator[str]:
    """Yield the invalid labels, annotations and references of an object, at any depth."""
    if isinstance(node, list):
        for each in node:
            yield from _keyed(each)
    elif key in _LABELS | {"annotations"} and isinstance(node, dict):
        yield from (f"the key {each!r} of {key}" for each in node if not _is(_KEY, each))
        pattern = _VALUE if key in _LABELS else re.compile(".*", re.DOTALL)
        yield from (f"{key}: {each}: {value!r}" for each, value in node.items() if not _is(pattern, value))
    elif isinstance(node, dict):
        for name, each in node.items():
            yield from _keyed(each, name)
    elif key in _REFERENCES and not _is(_SUBDOMAIN, node):
        yield f"{key}: {node!r}"


def _repeated(thing: Object) -> Iterator[str]:
    template = thing.get("spec", {}).get("template", {}).get("spec", {})
    for container in template.get("containers", ()):
        names = [each["name"] for each in container.get("env", ())]
        yield from (f"the variable {name!r}" for name in names if not _is(_ENV, name))
        yield from _twice("the variable", names)
        yield from _twice("the path", [each["mountPath"] for each in container["volumeMounts"]])
    volumes = [each["name"] for each in template.get("volumes", ())]
    yield from (f"the volume {name!r}" for name in volumes if not _is(_LABEL, name))
    yield from _twice("the volume", volumes)


def _twice(what: str, names: list[str]) -> Iterator[str]:
    yield from (f"{what} {name} is there {count} times" for name, count in Counter(names).items() if count > 1)


def _timed(thing: Object) -> Iterator[str]:
    spec = thing.get("spec", {})
    for each in (*spec.get("endpoints", ()), *spec.get("podMetricsEndpoints", ())):
        if {"interval", "scrapeTimeout"} <= each.keys() and not 0 < milliseconds(each["scrapeTimeout"]) <= milliseconds(
            each["interval"]
        ):
            yield f"scrapeTimeout {each['scrapeTimeout']} with interval {each['interval']}"


def _is(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None
