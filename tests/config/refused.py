"""Load invalid configurations and return their problems, and define the texts for allowed values."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from exporter.config import ConfigError, load

FAMILIES = ["sagemaker_training_job_info", "sagemaker_training_job_phase_seconds"]
ADDRESSES = ":9841, 127.0.0.1:9841, localhost:9841 or [::1]:9841"
EXTERNAL_URLS = (
    "a URL under which clients reach the exporter (allowed: a URL such as https://example.org/sagemaker, "
    'without user, query or fragment, or "" for none)'
)
PREFIXES = 'a path such as /sagemaker, / for none, or "" for the path of external_url'
TELEMETRY_PATHS = "a path such as /metrics, but not /, /job, /healthz, /readyz, /favicon.ico or one under /-/"
DURATIONS = "a Prometheus duration such as 30s, 5m, 1h30m, 7d"
RATES = "requests per second, more than 0 and at most 1000"
ROLES = "the ARN of a role such as arn:aws:iam::123456789012:role/NAME"
REGIONS = "regions such as us-east-1, eu-west-1, cn-north-1"
PATTERNS = "a Python regular expression for whole job names"
TAG_KEYS = "1 to 128 letters, digits, spaces or _.:/=+-@"
METRICS = "what `sagemaker-exporter metrics` lists; * and ? stand for any characters"
EXTERNAL_IDS = "2 to 1224 letters, digits or _+=,.@:/-, in quotes if they read as a number"
SESSION_NAMES = "2 to 64 letters, digits or _+=,.@-, in quotes if they read as a number"
SECTIONS = "web, polling, targets, jobs, totals, prices, quotas, cloudwatch, state, sharding"
ROLE = "arn:aws:iam::123456789012:role/a"


def complaints(
    path: str, environ: dict[str, str] | None = None, overrides: Mapping[str, str | list[str]] | None = None
) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(path, environ or {}, overrides=overrides or {}, known_metrics=FAMILIES)
    assert str(caught.value).splitlines() == [str(problem) for problem in caught.value.problems]
    return str(caught.value).splitlines()
