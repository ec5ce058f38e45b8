"""Test the exact message for each kind of invalid key, entry, section, file, flag and environment."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from exporter.config import Config, refusals
from exporter.config.located import Document
from exporter.config.refusals import Source
from tests.config.refused import (
    DURATIONS,
    EXTERNAL_IDS,
    METRICS,
    PATTERNS,
    REGIONS,
    ROLE,
    ROLES,
    SECTIONS,
    SESSION_NAMES,
    TAG_KEYS,
    complaints,
)

Write = Callable[[str], str]


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
            "sharding:\n  file: a",
            "2: sharding.file: unknown key; there is prices.file (allowed: total, index)",
        ),
        (
            "targets: []",
            (
                "1: targets: is empty "
                "(allowed: one target or more; omit the key for the exporter's own account and region)"
            ),
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
