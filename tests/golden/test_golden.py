"""Test that each DescribeTrainingJob response gives the samples beside it, sorted, without HELP and TYPE."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from exporter.exposition.section import Section
from exporter.exposition.text import TEXT
from exporter.training.families import JOBS, JobView
from exporter.training.parsing import Allowlist, parse

CASES = sorted(Path(__file__).parent.glob("*.json"))
NOTHING = Allowlist()
SOME = Allowlist(
    tags=frozenset({"team", "Team"}),
    hyperparameters=frozenset({"learningRate", "learning-rate", "learning_rate", "epochs"}),
    failure_reason_length=27,
)


def samples(path: Path) -> list[str]:
    answer = json.loads(path.read_text())
    job = parse(answer, "123456789012", "eu-west-1", SOME if path.stem == "allowlisted" else NOTHING)
    assert job is not None
    section: Section[JobView] = Section(JOBS.families, JOBS.samples, TEXT)
    section.put(job.name, (job.account, job.region, job.name), JobView(job))
    return sorted(line for line in b"".join(section.text(TEXT)).decode().splitlines() if not line.startswith("#"))


@pytest.mark.parametrize("path", CASES, ids=[path.stem for path in CASES])
def test_an_answer_gives_exactly_its_samples(path: Path) -> None:
    assert samples(path) == path.with_suffix(".txt").read_text().splitlines()


@pytest.mark.parametrize("path", CASES, ids=[path.stem for path in CASES])
def test_nothing_secret_is_in_them(path: Path) -> None:
    text = "\n".join(samples(path))
    assert text
    assert not [word for word in ("SECRET", "s3://", "arn:aws:") if word in text]
