"""Test the rules that tests/conftest.py sets for every test: nothing skipped in CI, no AWS account used."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import boto3
import pytest

from tests.prometheus import ROOT

SKIPS = {
    "a test": "import pytest\n@pytest.mark.skip(reason='no reason')\ndef test_it(): pass\n",
    "a module": "import pytest\npytest.skip('no reason', allow_module_level=True)\n",
    "for want of Prometheus": "import pytest\n@pytest.mark.prometheus\ndef test_it(): pass\n",
}


def run_tests(text: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run these tests under tests/conftest.py, where no Prometheus can be found."""
    path = folder / "test_it.py"
    path.write_text(text)
    command = [
        "-m",
        "pytest",
        "-n0",
        "-p",
        "tests.conftest",
        "-c",
        "pyproject.toml",
        "--rootdir",
        str(folder),
        str(path),
    ]
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={"PROMETHEUS": str(folder), "PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@pytest.mark.parametrize("text", SKIPS.values(), ids=SKIPS.keys())
def test_a_skipped_test_fails_in_ci_and_only_there(text: str, tmp_path: Path) -> None:
    elsewhere = run_tests(text, tmp_path)
    assert "1 skipped" in elsewhere.stdout
    assert "failed" not in elsewhere.stdout
    ci = run_tests(text, tmp_path, CI="true")
    assert ci.returncode != 0
    assert "Skipped, which CI does not allow" in ci.stdout


def test_a_passing_test_passes_in_ci(tmp_path: Path) -> None:
    outcome = run_tests("def test_it(): pass\n", tmp_path, CI="true")
    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert "1 passed" in outcome.stdout


def test_whose_aws_account_it_is_stays_unknown(tmp_path: Path) -> None:
    text = (
        "import os\n"
        "def test_it():\n"
        "    assert {os.environ.get(n) for n in ('AWS_PROFILE', 'AWS_CA_BUNDLE', 'HTTPS_PROXY')} == {None}\n"
        "    assert not os.path.exists(os.environ['AWS_SHARED_CREDENTIALS_FILE'])\n"
    )
    outcome = run_tests(text, tmp_path, AWS_PROFILE="prod", AWS_CA_BUNDLE="/ca.pem", HTTPS_PROXY="http://proxy:1")
    assert "1 passed" in outcome.stdout, outcome.stdout


def test_the_credentials_are_an_example() -> None:
    session = boto3.Session()
    credentials = session.get_credentials()
    assert credentials is not None
    assert credentials.access_key == "AKIAIOSFODNN7EXAMPLE"
    assert session.available_profiles == []


def test_ci_runs_every_seed_and_ends_with_the_tests() -> None:
    assert (ROOT / ".ci/run").read_text().splitlines()[-5:] == [
        "make soak SEEDS=200",
        "make chaos SEEDS=20",
        "make coverage",
        "make long",
        "make test",
    ]


STARTS = """
import asyncio, subprocess, pytest
{mark}

def test_a_command():
    subprocess.run(["true"], check=True)

async def test_of_asyncio():
    await (await asyncio.create_subprocess_exec("true")).wait()

def test_that_catches():
    try:
        subprocess.run(["true"])
    except Exception:
        pass

@pytest.fixture(scope="module")
def true():
    subprocess.run(["true"])

def test_with_a_fixture(true):
    pass
"""


def test_only_a_test_that_is_marked_may_start_a_process(tmp_path: Path) -> None:
    refused = run_tests(STARTS.format(mark=""), tmp_path)
    assert "3 failed, 1 error" in refused.stdout, refused.stdout
    assert refused.stdout.count("Failed: this test starts a process and is not marked") >= 4
    marked = run_tests(STARTS.format(mark="pytestmark = pytest.mark.process"), tmp_path)
    assert "4 passed" in marked.stdout, marked.stdout
