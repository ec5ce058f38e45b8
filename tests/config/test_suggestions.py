"""Test that an unknown name is compared with names that may have been meant, and with no others."""

from __future__ import annotations

import pytest

from exporter.catalogue import CATALOGUE
from exporter.config.suggestions import did_you_mean

METRICS = sorted(family.name for family in CATALOGUE)
POLLING = ("discovery_interval", "active_interval", "resync_interval", "describe_rps", "list_rps")


@pytest.mark.parametrize(
    ("name", "known", "meant"),
    [
        ("sagemaker_training_job_inof", METRICS, "sagemaker_training_job_info"),
        ("sagemaker_trianing_jobs", METRICS, "sagemaker_training_jobs"),
        ("training_job_info", METRICS, "sagemaker_training_job_info"),
        ("activ_interval", POLLING, "active_interval"),
        ("actve_intreval", POLLING, "active_interval"),
        ("list", POLLING, "list_rps"),
        ("job", ("web", "jobs", "state"), "jobs"),
    ],
)
def test_a_misspelled_or_incomplete_name_is_recognized(name: str, known: tuple[str, ...], meant: str) -> None:
    assert did_you_mean(name, known) == f", did you mean {meant}?"


@pytest.mark.parametrize(
    ("name", "known"),
    [
        # Most of the letters of a long name are its prefix.
        ("sagemaker_training_jobs_foo", METRICS),
        ("sagemaker_training_job_colour", METRICS),
        ("jobs_foo", ("job_info", "jobs_total")),
        # Three keys contain this word.
        ("interval", POLLING),
        ("cpu", ("web", "jobs", "state")),
        ("", POLLING),
    ],
)
def test_a_name_of_something_else_has_no_suggestion(name: str, known: tuple[str, ...]) -> None:
    assert did_you_mean(name, known) == ""
