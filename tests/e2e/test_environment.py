"""Test the user's AWS settings: problems of a profile are reported, and none of them affects the demo."""

from __future__ import annotations

import re
import time
from pathlib import Path

import boto3
import pytest

from exporter import demo
from tests.e2e.commands import run
from tests.e2e.demonstration import demonstration
from tests.e2e.exposed import Exposed

_CIRCLE = """\
[profile mine]
role_arn=arn:aws:iam::123456789012:role/r
source_profile=twin
[profile twin]
role_arn=arn:aws:iam::123456789012:role/r
source_profile=mine
"""
PROFILES = {
    "missing": ("[profile other]\nregion=us-east-1\n", "NoSuchProfile", "the AWS profile that AWS_PROFILE names"),
    "broken": ("[profile mine\nregion=us-east-1\n", "BrokenProfileFile", "correct it ("),
    "circular": (_CIRCLE, "InvalidProfile", "the AWS profile cannot be used; correct it"),
}


@pytest.mark.parametrize("case", PROFILES)
def test_a_profile_that_cannot_be_used_is_told_without_a_traceback(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Keys in the environment take precedence over a profile.
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    written, code, words = PROFILES[case]
    (tmp_path / "config").write_text(written)
    environ = {
        "AWS_PROFILE": "mine",
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
    }
    (tmp_path / "exporter.yaml").write_text("targets: [{regions: [us-east-1]}]\n")
    told = run("once", "--config.file", str(tmp_path / "exporter.yaml"), environ=environ)
    assert told.status == 1
    assert "Traceback" not in told.err
    (line,) = [line for line in told.err.splitlines() if code in line]
    assert words in line
    assert 'sagemaker_exporter_target_up{aws_account_id="",aws_region="us-east-1"} 0\n' in told.out
    # A file for the exporter can be checked all the same.
    checked = run("check-config", str(tmp_path / "exporter.yaml"), environ=environ)
    assert (checked.status, checked.err) == (0, "")


# Settings that cannot hide each other's effect are tried together.
ASTRAY = {
    "identity": {
        "AWS_PROFILE": "production",
        "AWS_DEFAULT_PROFILE": "production",
        "AWS_SESSION_TOKEN": "x",
        "AWS_CREDENTIAL_EXPIRATION": "2020-01-01T00:00:00Z",
        "AWS_WEB_IDENTITY_TOKEN_FILE": "/no/such/token",
        "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/r",
    },
    "network": dict.fromkeys(
        ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY"), "http://127.0.0.1:9"
    )
    | {"AWS_CA_BUNDLE": "/no/such/bundle.pem"},
    "endpoints": {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
    "settings": {
        "AWS_USE_FIPS_ENDPOINT": "true",
        "AWS_USE_DUALSTACK_ENDPOINT": "true",
        "AWS_REGION": "eu-central-1",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_DEFAULTS_MODE": "x",
        "AWS_RETRY_MODE": "x",
        "AWS_MAX_ATTEMPTS": "x",
        "AWS_STS_REGIONAL_ENDPOINTS": "x",
    },
    "broken file": {},
    "endpoints of a file": {},
}
FILES = {
    "broken file": "[default\n",
    "endpoints of a file": "[default]\nendpoint_url=http://127.0.0.1:9\nuse_fips_endpoint=true\nsts_regional_endpoints=x\n",
}


@pytest.mark.long
@pytest.mark.parametrize("case", ASTRAY)
def test_nothing_of_the_user_leads_the_demo_astray(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text(FILES.get(case, ""))
    monkeypatch.setenv("HOME", str(tmp_path))
    for name, value in ASTRAY[case].items():
        monkeypatch.setenv(name, value)
    with demonstration(tmp_path, "--jobs", "5") as running:
        running.wait_until_ready()
        deadline = time.monotonic() + 30
        while len(rows := Exposed(running.get("/metrics").text).rows("sagemaker_exporter_target_up")) < 2 or any(
            value != 1 for _, value in rows
        ):
            assert time.monotonic() < deadline, running.log.read_text()
            time.sleep(0.05)
        assert "Traceback" not in running.log.read_text()
    assert {its["aws_account_id"] for its, _ in rows} == {"123456789012"}
    assert {its["aws_region"] for its, _ in rows} == {"us-east-1", "eu-west-1"}


async def test_no_service_is_asked_at_aws_during_a_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also none that the exporter does not use yet."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_BUDGETS", "http://127.0.0.1:9")
    services = ("sagemaker", "sts", "pricing", "service-quotas", "cloudwatch", "budgets")
    async with demo.simulated(demo.Demo(jobs=1, seed=1, speed=1.0)):
        clients = [boto3.Session().client(service, region_name="us-east-1") for service in services]
    urls = {client.meta.endpoint_url for client in clients}
    assert len(urls) == 1, urls
    assert re.fullmatch(r"http://127\.0\.0\.1:\d{4,}", *urls)
