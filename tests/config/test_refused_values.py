"""Test the exact message for each kind of invalid value."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.config.refused import (
    ADDRESSES,
    DURATIONS,
    EXTERNAL_URLS,
    PATTERNS,
    PREFIXES,
    RATES,
    TELEMETRY_PATHS,
    complaints,
)

Write = Callable[[str], str]

_URL = "a URL such as postgresql://exporter@db.example.org/sagemaker_exporter"
_NO_URL = f"is not the URL of a PostgreSQL database (allowed: {_URL})"
_PASSWORD = (
    "contains a password, which others may read there "
    "(allowed: the password in state.password_file, PGPASSWORD or a passfile)"
)

SINGLE_KEYS = [
    ('web.listen_address: "9841"', f'"9841" is not an address to listen on (allowed: {ADDRESSES})'),
    ("web.listen_address: 9841", f"9841 is not an address to listen on (allowed: {ADDRESSES})"),
    ('web.listen_address: ":65536"', f'":65536" is not an address to listen on (allowed: {ADDRESSES})'),
    ('web.listen_address: "::1:9841"', f'"::1:9841" is not an address to listen on (allowed: {ADDRESSES})'),
    ('web.listen_address: "[::g]:1"', f'"[::g]:1" is not an address to listen on (allowed: {ADDRESSES})'),
    ('web.listen_address: "1.2.3.256:1"', f'"1.2.3.256:1" is not an address to listen on (allowed: {ADDRESSES})'),
    ("web.listen_address: []", f"is empty (allowed: one address or more: {ADDRESSES})"),
    ('web.listen_address: [":1", "127.0.0.1:1", ":1"]', '":1" is listed twice (allowed: each entry once)'),
    *(
        (
            f"web.external_url: {url}",
            f'"{url}" is not {EXTERNAL_URLS}',
        )
        for url in (
            *("example.org", "ftp://example.org/", "http://", "https:///sagemaker"),
            *("http://example.org/?q", "http://example.org/#x", "http://example.org:port/", "http://example.org/a//b"),
            *("http://example.org/a/../b", "http://[:::]/", "http://example.org:99999/", "http://a:0/"),
        )
    ),
    (
        "web.external_url: http://user:secret@example.org/",
        f"has a user or a password (allowed: {EXTERNAL_URLS.partition('allowed: ')[2]}",
    ),
    *(
        (f"web.route_prefix: {path}", f'"{path}" is not a prefix of paths (allowed: {PREFIXES})')
        for path in ("sagemaker", "/a//b", "/a/../b", "/./a", "/{a}", "/a?b", "//")
    ),
    ("web.telemetry_path: metrics", f'"metrics" is not a path for metrics (allowed: {TELEMETRY_PATHS})'),
    ("web.telemetry_path: /", f'"/" is not a path for metrics (allowed: {TELEMETRY_PATHS})'),
    ("web.telemetry_path: /healthz", f'"/healthz" is not a path for metrics (allowed: {TELEMETRY_PATHS})'),
    ("web.telemetry_path: /job", f'"/job" is not a path for metrics (allowed: {TELEMETRY_PATHS})'),
    ("web.telemetry_path: /favicon.ico", f'"/favicon.ico" is not a path for metrics (allowed: {TELEMETRY_PATHS})'),
    ("web.telemetry_path: /readyz", f'"/readyz" is not a path for metrics (allowed: {TELEMETRY_PATHS})'),
    ("web.telemetry_path: /-/reload", f'"/-/reload" is not a path for metrics (allowed: {TELEMETRY_PATHS})'),
    ("web.telemetry_path: /a/../b", f'"/a/../b" is not a path for metrics (allowed: {TELEMETRY_PATHS})'),
    ("web.telemetry_path: /m?x", f'"/m?x" is not a path for metrics (allowed: {TELEMETRY_PATHS})'),
    ("polling.active_interval: 5 parsecs", f'"5 parsecs" is not a duration (allowed: {DURATIONS})'),
    ("polling.active_interval: 30", f"30 is not a duration (allowed: {DURATIONS})"),
    ("polling.active_interval: 30.5", f"30.5 is not a duration (allowed: {DURATIONS})"),
    ("polling.active_interval:", f"null is not a duration (allowed: {DURATIONS})"),
    ("polling.active_interval: [30s]", f"a list is not a duration (allowed: {DURATIONS})"),
    ("polling.active_interval: 999ms", '"999ms" is out of range (allowed: 1s to 30d)'),
    ("polling.active_interval: 0", "0 is out of range (allowed: 1s to 30d)"),
    ("polling.discovery_interval: 0s", '"0s" is out of range (allowed: 1s to 30d)'),
    ("polling.resync_interval: 31d", '"31d" is out of range (allowed: 1s to 30d)'),
    ("polling.lookback: 11y", '"11y" is out of range (allowed: 1s to 10y)'),
    ("polling.settle: 0s", '"0s" is out of range (allowed: 1s to 1d)'),
    ("polling.timeout: 1h", '"1h" is out of range (allowed: 100ms to 5m)'),
    ("polling.strategy: serch", '"serch" is not a choice (allowed: describe or search)'),
    ('polling.max_concurrency: "5"', '"5" is not a whole number (allowed: a whole number from 1 to 1000)'),
    ("polling.max_concurrency: 5.0", "5.0 is not a whole number (allowed: a whole number from 1 to 1000)"),
    ("polling.max_concurrency: true", "true is not a whole number (allowed: a whole number from 1 to 1000)"),
    ("polling.max_concurrency: 0", "0 is out of range (allowed: a whole number from 1 to 1000)"),
    ('polling.list_rps: "1"', f'"1" is not a number (allowed: {RATES})'),
    ("polling.list_rps: false", f"false is not a number (allowed: {RATES})"),
    ("polling.describe_rps: -1", f"-1 is out of range (allowed: {RATES})"),
    ("polling.search_rps: .nan", f"NaN is out of range (allowed: {RATES})"),
    ("polling.search_rps: .inf", f"Infinity is out of range (allowed: {RATES})"),
    (
        "jobs.include: (",
        f'"(" is not a regular expression: missing ), unterminated subpattern at position 0 (allowed: {PATTERNS})',
    ),
    ("jobs.exclude: 5", f"5 is not text (allowed: {PATTERNS})"),
    (
        'jobs.include: ""',
        'is empty and would match no job (allowed: a regular expression, ".*" for every job)',
    ),
    ("jobs.retention: 2y", '"2y" is out of range (allowed: 0s to 1y)'),
    ("jobs.per_job_metrics: yes", '"yes" is not a boolean (allowed: true or false)'),
    ("jobs.per_job_metrics: 1", "1 is not a boolean (allowed: true or false)"),
    ("jobs.tags: team", "is text, not a list (allowed: a list)"),
    ("jobs.tags: 5", "is a number, not a list (allowed: a list)"),
    ("jobs.tags: true", "is a boolean, not a list (allowed: a list)"),
    ("jobs.tags:", "is empty, not a list (allowed: a list)"),
    ('jobs.tags: ["*", team]', '"*" is listed with other keys (allowed: ["*"] alone, or keys by name)'),
    ("jobs.tags: [a, b, a]", '"a" is listed twice (allowed: each entry once)'),
    ("jobs.failure_reason_length: 1025", "1025 is out of range (allowed: a whole number from 0 to 1024)"),
    ("totals.backfill: -1s", f'"-1s" is not a duration (allowed: {DURATIONS})'),
    (
        "totals.by_tags: [a, b, c, d, e, f]",
        "has 6 keys (allowed: at most 5, because each multiplies every counter)",
    ),
    ("totals.by_tags: [a, a]", '"a" is listed twice (allowed: each entry once)'),
    ("state.path: 5", '5 is not a path (allowed: the path of a file, or "" for memory)'),
    (
        "state.path: gone/totals.db",
        'the directory "gone" does not exist (allowed: a file in a directory that exists)',
    ),
    ("state.url: mysql://a/b", f"is not the URL of a PostgreSQL database (allowed: {_URL})"),
    ("state.url: postgresql://[a/b", f"is not the URL of a PostgreSQL database (allowed: {_URL})"),
    ("state.url: postgresql://me:secret@a/b", _PASSWORD),
    ("state.url: postgresql://me@a/b?password=secret", _PASSWORD),
    ("state.url: 'postgresql://me:sec#ret@a/b'", _PASSWORD),
    ("state.url: postgresql://me:sec?ret@a/b", _PASSWORD),
    ("state.url: postgresql://me:sec/ret@a/b", _PASSWORD),
    ("state.url: postgresql://me:sec@ret@a/b", _PASSWORD),
    ("state.url: 'postgresql://a/b?application_name=a#b&password=secret'", _NO_URL),
    ("state.url: postgresql://a/b?options=secret@c", _NO_URL),
    ("state.url: postgresql://me@a/b?pass%77ord=secret", _PASSWORD),
    ("state.url: postgresql://me@a/b?sslpassword=secret", _PASSWORD),
    ("state.password_file: 5", '5 is not a path (allowed: the path of a file with the password, or "" for none)'),
    ("state.password_file: secret", "means nothing without state.url (allowed: only beside state.url)"),
    ("state.path: /", '"/" is a directory (allowed: the path of a file)'),
    ("sharding.total: 0", "0 is out of range (allowed: a whole number from 1 to 1000)"),
    ("sharding.total: 1001", "1001 is out of range (allowed: a whole number from 1 to 1000)"),
    ("sharding.index: 1", "1 is not below the total of 1 (allowed: 0 to 0)"),
]


@pytest.mark.parametrize(("line", "expected"), SINGLE_KEYS, ids=[line for line, _ in SINGLE_KEYS])
def test_a_bad_value(write: Write, line: str, expected: str) -> None:
    key, _, value = line.partition(":")
    section, _, name = key.partition(".")
    assert complaints(write(f"{section}:\n  {name}:{value}\n")) == [f"config.yaml:2: {key}: {expected}"]
