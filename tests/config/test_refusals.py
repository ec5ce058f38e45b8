"""One case for each kind of bad input, with the exact message."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from exporter.config import Config, ConfigError, load, refusals
from exporter.config.located import Document
from exporter.config.refusals import Source

Write = Callable[[str], str]

FAMILIES = ["sagemaker_training_job_info", "sagemaker_training_job_phase_seconds"]
ADDRESSES = ":9841, 127.0.0.1:9841, localhost:9841 or [::1]:9841"
TELEMETRY_PATHS = "a path such as /metrics, but not /, /healthz, /readyz or one under /-/"
DURATIONS = "a Prometheus duration such as 30s, 5m, 1h30m, 7d"
RATES = "requests a second, more than 0 and at most 1000"
ROLES = "the ARN of a role such as arn:aws:iam::123456789012:role/NAME"
REGIONS = "regions such as us-east-1, eu-west-1, cn-north-1"
PATTERNS = "a Python regular expression for whole job names"
TAG_KEYS = "1 to 128 letters, digits, spaces or _.:/=+-@"
METRICS = "what `sagemaker-exporter metrics` lists; * and ? stand for any characters"
EXTERNAL_IDS = "2 to 1224 letters, digits or _+=,.@:/-, in quotes if they read as a number"
SESSION_NAMES = "2 to 64 letters, digits or _+=,.@-, in quotes if they read as a number"
SECTIONS = "web, polling, targets, jobs, totals, state, sharding"
ROLE = "arn:aws:iam::123456789012:role/a"


def complaints(path: str, environ: dict[str, str] | None = None, overrides: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(path, environ or {}, overrides=overrides or {}, known_metrics=FAMILIES)
    assert str(caught.value).splitlines() == [str(problem) for problem in caught.value.problems]
    return str(caught.value).splitlines()


SINGLE_KEYS = [
    ('web.listen_address: "9841"', f'"9841" is not an address to listen on (allowed: {ADDRESSES})'),
    ("web.listen_address: 9841", f"9841 is not an address to listen on (allowed: {ADDRESSES})"),
    ('web.listen_address: ":65536"', f'":65536" is not an address to listen on (allowed: {ADDRESSES})'),
    ('web.listen_address: "::1:9841"', f'"::1:9841" is not an address to listen on (allowed: {ADDRESSES})'),
    ('web.listen_address: "[::g]:1"', f'"[::g]:1" is not an address to listen on (allowed: {ADDRESSES})'),
    ('web.listen_address: "1.2.3.256:1"', f'"1.2.3.256:1" is not an address to listen on (allowed: {ADDRESSES})'),
    ("web.telemetry_path: metrics", f'"metrics" is not a path for metrics (allowed: {TELEMETRY_PATHS})'),
    ("web.telemetry_path: /", f'"/" is not a path for metrics (allowed: {TELEMETRY_PATHS})'),
    ("web.telemetry_path: /healthz", f'"/healthz" is not a path for metrics (allowed: {TELEMETRY_PATHS})'),
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
        'is empty, which no job\'s name is (allowed: a regular expression, ".*" for every job)',
    ),
    ("jobs.retention: 2y", '"2y" is out of range (allowed: 0s to 1y)'),
    ("jobs.per_job_metrics: yes", '"yes" is not a boolean (allowed: true or false)'),
    ("jobs.per_job_metrics: 1", "1 is not a boolean (allowed: true or false)"),
    ("jobs.tags: team", "is text, not a list (allowed: a list)"),
    ("jobs.tags: 5", "is a number, not a list (allowed: a list)"),
    ("jobs.tags: true", "is a boolean, not a list (allowed: a list)"),
    ("jobs.tags:", "is empty, not a list (allowed: a list)"),
    ('jobs.tags: ["*", team]', '"*" stands beside other keys (allowed: ["*"] alone, or keys by name)'),
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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "jobs:\n  tags:\n  - team\n  - 5",
            f'4: jobs.tags[1]: 5 is not a tag key (allowed: {TAG_KEYS}, or "*" for all)',
        ),
        (
            "totals:\n  by_tags:\n  - '*'",
            f'3: totals.by_tags[0]: "*" is not a tag key (allowed: {TAG_KEYS})',
        ),
        (
            'jobs:\n  hyperparameters: [a, ""]',
            (
                '2: jobs.hyperparameters[1]: "" is not the name of a hyperparameter (allowed: 1 to 256 characters, in '
                'quotes if they read as a number, or "*" for all)'
            ),
        ),
        (
            "jobs:\n  disabled_metrics: [5]",
            (
                "2: jobs.disabled_metrics[0]: 5 is not the name of a metric (allowed: names of metrics, in which "
                "* and ? stand for any characters)"
            ),
        ),
        (
            "jobs:\n  disabled_metrics:\n  - sagemaker_training_job_phase_*\n  - sagemaker_training_job_inof",
            (
                '4: jobs.disabled_metrics[1]: "sagemaker_training_job_inof" matches no metric, did you mean '
                f"sagemaker_training_job_info? (allowed: {METRICS})"
            ),
        ),
        (
            "jobs: {disabled_metrics: [cpu]}",
            f'1: jobs.disabled_metrics[0]: "cpu" matches no metric (allowed: {METRICS})',
        ),
        (
            "job:\n  include: a",
            f"1: job: unknown key, did you mean jobs? (allowed: {SECTIONS})",
        ),
        (
            "web: {}\nretention: 5m",
            f"2: retention: unknown key, did you mean jobs.retention? (allowed: {SECTIONS})",
        ),
        ("web: {}\nx y:", f'2: "x y": unknown key (allowed: {SECTIONS})'),
        (
            "state:\n  file: a",
            "2: state.file: unknown key (allowed: path)",
        ),
        (
            "targets: []",
            "1: targets: is empty (allowed: one target or more; leave the key out for the environment's own)",
        ),
        ("targets: us-east-1", "1: targets: is text, not a list (allowed: a list)"),
        (
            "targets:\n- us-east-1",
            "2: targets[0]: is text, not a mapping (allowed: the keys regions, role_arn, external_id, session_name)",
        ),
        (
            f"targets:\n- role_arn: {ROLE}",
            "2: targets[0].regions: is missing (allowed: a list of one or more AWS regions such as us-east-1)",
        ),
        (
            "targets:\n- regions: []",
            "2: targets[0].regions: is empty (allowed: a list of one or more AWS regions such as us-east-1)",
        ),
        (
            "targets:\n- regions: [us-east-1, Frankfurt]",
            f'2: targets[0].regions[1]: "Frankfurt" is not an AWS region (allowed: {REGIONS})',
        ),
        (
            "targets:\n- regions: [us-east-1]\n  region: eu-west-1",
            (
                "3: targets[0].region: unknown key, did you mean regions? (allowed: regions, role_arn, external_id, "
                "session_name)"
            ),
        ),
        (
            "targets:\n- regions: [us-east-1]\n  role_arn: arn:aws:iam::123:role/s3cret",
            f"3: targets[0].role_arn: is not the ARN of an IAM role (allowed: {ROLES})",
        ),
        (
            "targets:\n- regions: [us-east-1]\n  role_arn: arn:aws:iam::123456789012:user/s3cret",
            f"3: targets[0].role_arn: is not the ARN of an IAM role (allowed: {ROLES})",
        ),
        (
            f"targets:\n- regions: [us-east-1]\n  role_arn: {ROLE}\n  external_id: 12345",
            f"4: targets[0].external_id: is not an external ID (allowed: {EXTERNAL_IDS})",
        ),
        (
            f"targets:\n- regions: [us-east-1]\n  role_arn: {ROLE}\n  session_name: x",
            f'4: targets[0].session_name: "x" is not a session name (allowed: {SESSION_NAMES})',
        ),
        (
            "targets:\n- regions: [us-east-1]\n  external_id: s3cret",
            "3: targets[0].external_id: means nothing without role_arn (allowed: only beside role_arn)",
        ),
        (
            "targets:\n- regions: [us-east-1]\n  session_name: me",
            "3: targets[0].session_name: means nothing without role_arn (allowed: only beside role_arn)",
        ),
        (
            "targets:\n- regions: [us-east-1, us-east-1]",
            '2: targets[0].regions[1]: "us-east-1" is listed twice (allowed: each region once)',
        ),
        (
            "targets:\n- regions: [us-east-1]\n- regions: [eu-west-1, us-east-1]",
            (
                '3: targets[1].regions[1]: "us-east-1" of the same account is polled by targets[0] already, on line 2 '
                "(allowed: each region of an account in one target)"
            ),
        ),
        (
            f"targets:\n- {{regions: [us-east-1], role_arn: {ROLE}}}\n- {{regions: [us-east-1], role_arn: {ROLE}2}}",
            (
                '3: targets[1].regions[0]: "us-east-1" of the same account is polled by targets[0] already, on line 2 '
                "(allowed: each region of an account in one target)"
            ),
        ),
        ("totals: []", "1: totals: is a list, not a mapping (allowed: the keys backfill, by_tags)"),
        ("- web", f"1: is a list, not a mapping (allowed: the keys {SECTIONS})"),
        ("web", f"1: is text, not a mapping (allowed: the keys {SECTIONS})"),
        ("web: {}\nweb: {}", "2: web: is written twice, first on line 1 (allowed: each key once)"),
        ("web: {}\n---\nweb: {}", "3: a second document starts here (allowed: one document)"),
        (
            "web: {}\njobs: [",
            (
                "2: broken YAML: expected the node content, but found '<stream end>', while parsing a flow node "
                "from line 2 (allowed: YAML, indented with spaces)"
            ),
        ),
        (
            "web: {}\njobs: !python/none x",
            '2: jobs: the tag "!python/none" has no meaning here (allowed: values without tags)',
        ),
    ],
)
def test_a_bad_place(write: Write, text: str, expected: str) -> None:
    found = complaints(write(text))
    assert found == [f"config.yaml:{expected}"]
    assert "s3cret" not in found[0]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gone.yaml", "gone.yaml: cannot be read: No such file or directory (allowed: a file of YAML)"),
        (".", ".: cannot be read: Is a directory (allowed: a file of YAML)"),
        ("a\0b", "a\0b: cannot be read: embedded null byte (allowed: a file of YAML)"),
    ],
)
def test_a_file_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, expected: str) -> None:
    monkeypatch.chdir(tmp_path)
    assert complaints(name) == [expected]


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        (
            {"HOSTNAME": "laptop"},
            (
                'no index for this of 3 shards: "laptop" does not end in -NUMBER (allowed: sharding.index, or a '
                "StatefulSet whose pod's name is in POD_NAME or HOSTNAME)"
            ),
        ),
        (
            {},
            (
                'no index for this of 3 shards: "" does not end in -NUMBER (allowed: sharding.index, or a '
                "StatefulSet whose pod's name is in POD_NAME or HOSTNAME)"
            ),
        ),
        (
            {"POD_NAME": "exporter-3"},
            'too few shards for the index 3 of the pod "exporter-3" (allowed: more than 3)',
        ),
    ],
)
def test_a_shard_without_an_index(write: Write, environ: dict[str, str], expected: str) -> None:
    found = complaints(write("sharding:\n  total: 3"), environ)
    assert found == [f"config.yaml:2: sharding.total: {expected}"]


def test_an_index_that_is_no_shard(write: Write) -> None:
    assert complaints(write("sharding:\n  index: 3\n  total: 3")) == [
        "config.yaml:2: sharding.index: 3 is not below the total of 3 (allowed: 0 to 2)"
    ]


def test_a_bad_flag_is_named_as_the_flag(write: Write) -> None:
    path = write('web: {listen_address: "bad too"}')
    assert complaints(path, overrides={"web.listen_address": "nowhere", "web.telemetry_path": "/"}) == [
        f'--web.listen-address: "nowhere" is not an address to listen on (allowed: {ADDRESSES})',
        f'--web.telemetry-path: "/" is not a path for metrics (allowed: {TELEMETRY_PATHS})',
    ]


def test_a_flag_does_not_hide_that_its_section_is_wrong(write: Write) -> None:
    assert complaints(write("web: 5"), overrides={"web.listen_address": ":1"}) == [
        "config.yaml:1: web: is a number, not a mapping (allowed: the keys listen_address, telemetry_path)"
    ]


def test_what_nobody_foresaw_is_reported_in_the_words_of_pydantic() -> None:
    with pytest.raises(ValidationError) as caught:
        Config.model_validate({5: "x"})
    assert [str(problem) for problem in refusals.problems(caught.value, Source("f.yaml", Document()))] == [
        "f.yaml:1: [5]: Keys should be strings (allowed: see docs/configuration.md)"
    ]


def test_all_problems_are_reported_together_by_line(write: Write) -> None:
    text = """\
polling:
  active_interval: 5 parsecs
  settle: !x 1
targets:
- regions: [us-east-1, mars]
  external_id: someone
- regions: [us-east-1]
- regions: [us-east-1]
  role_arn: nobody
jobs: {include: "[", disabled_metrics: [cpu], colour: red}
state: {path: gone/x}
state: {path: x}
sharding: {total: 2}
"""
    assert complaints(write(text), {"HOSTNAME": "x"}) == [
        f'config.yaml:2: polling.active_interval: "5 parsecs" is not a duration (allowed: {DURATIONS})',
        'config.yaml:3: polling.settle: the tag "!x" has no meaning here (allowed: values without tags)',
        f'config.yaml:5: targets[0].regions[1]: "mars" is not an AWS region (allowed: {REGIONS})',
        "config.yaml:6: targets[0].external_id: means nothing without role_arn (allowed: only beside role_arn)",
        (
            'config.yaml:7: targets[1].regions[0]: "us-east-1" of the same account is polled by targets[0] already, '
            "on line 5 (allowed: each region of an account in one target)"
        ),
        f"config.yaml:9: targets[2].role_arn: is not the ARN of an IAM role (allowed: {ROLES})",
        (
            f'config.yaml:10: jobs.include: "[" is not a regular expression: unterminated character set at position 0 '
            f"(allowed: {PATTERNS})"
        ),
        f'config.yaml:10: jobs.disabled_metrics[0]: "cpu" matches no metric (allowed: {METRICS})',
        (
            "config.yaml:10: jobs.colour: unknown key (allowed: include, exclude, retention, per_job_metrics, "
            "disabled_metrics, tags, hyperparameters, failure_reason_length)"
        ),
        'config.yaml:11: state.path: the directory "gone" does not exist (allowed: a file in a directory that exists)',
        "config.yaml:12: state: is written twice, first on line 11 (allowed: each key once)",
        (
            'config.yaml:13: sharding.total: no index for this of 2 shards: "x" does not end in -NUMBER (allowed: '
            "sharding.index, or a StatefulSet whose pod's name is in POD_NAME or HOSTNAME)"
        ),
    ]
