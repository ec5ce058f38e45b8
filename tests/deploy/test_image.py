"""Test the Dockerfile with a linter, and with `make image-test` build, run and scrape the image.

The image runs as an unprivileged user on a read-only root file system.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.prometheus import ROOT, promtool

DOCKERFILE = (ROOT / "Dockerfile").read_text()
NOBODY = 65532
UNCHECKED_HASH = b"\x01\x00\x00\x00"  # PEP 552

# Read-only as with `docker run --read-only`, and nothing of this process's environment.
_RUN = """
mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && cd "$0" && exec chroot --userspec={user} "$0" env -i "$@"
"""


class Image(NamedTuple):
    """Hold a built image: its configuration from `docker inspect`, and its files."""

    config: dict[str, Any]
    layers: list[str]
    root: Path

    def command(self, *arguments: str, **environment: str) -> list[str]:
        """Return a command that runs these arguments in the image as its user, with nothing writable."""
        variables = [*self.config["Env"], *(f"{name}={value}" for name, value in environment.items())]
        script = _RUN.format(user=self.config["User"])
        return ["unshare", "--mount", "sh", "-c", script, str(self.root), *variables, *arguments]

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        command = self.command(*arguments, **environment)
        return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)

    @contextmanager
    def serving(self, *arguments: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
        """Run the entrypoint with these arguments, and yield the address from its log."""
        command = self.command(*self.config["Entrypoint"], *arguments)
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            try:
                said = process.stdout.readline() if process.stdout else ""
                found = re.match(r"metrics at (http://\S+)/metrics", said)
                assert found, said
                yield found[1], process
            finally:
                process.kill()


def test_the_dockerfile_is_clean() -> None:
    hadolint = Path(sys.executable).parent / "hadolint"
    outcome = subprocess.run(
        [hadolint, "--no-color", ROOT / "Dockerfile"], capture_output=True, text=True, timeout=240, check=False
    )
    assert (outcome.returncode, outcome.stdout) == (0, "")


def test_the_build_sees_what_it_copies_and_nothing_else() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    allowed = {line.lstrip("!").rstrip("/") for line in lines if line.startswith("!")}
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE)
    assert allowed == {name.removeprefix("./") for names in copied for name in names.split()}
    assert lines[1] == "*"


def test_every_package_of_the_image_comes_with_its_hash() -> None:
    installs = re.findall(r"install (-.*?)(?= \\| *$)", DOCKERFILE, re.MULTILINE)
    python = [install for install in installs if " -r " in install or "dist/" in install]
    assert len(python) == 3
    assert all("--require-hashes" in each or "--no-index" in each for each in python)


@pytest.fixture
def image(tmp_path: Path) -> Iterator[Image]:
    subprocess.run([ROOT / "hack/image.sh", tmp_path], check=True, timeout=500)
    first, again = (json.loads((tmp_path / name).read_text())["Docker"] for name in ("image.json", "again.json"))
    assert first["rootfs"]["diff_ids"] == again["rootfs"]["diff_ids"], "two builds of one commit differ"
    yield Image(first["config"], first["rootfs"]["diff_ids"], tmp_path / "root")
    shutil.rmtree(tmp_path / "root")


@pytest.mark.image
@pytest.mark.prometheus
@pytest.mark.timeout(600)
def test_the_image_runs_as_nobody_and_is_scraped(image: Image) -> None:
    assert_configured(image.config)
    assert_nothing_to_build_with(image.root)
    assert_nothing_to_write(image)
    assert_says_what_it_lacks(image)
    assert image.run("sagemaker-exporter", "--version").stdout.startswith("sagemaker-exporter, version 1.2.3 ")
    with image.serving("demo", "--web.listen-address", "127.0.0.1:0") as (url, process):
        assert promtool("check", "metrics", stdin=wait_for_jobs(url)).stderr == ""
        assert healthy(image, f"{url}/healthz")
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
    assert not healthy(image, f"{url}/healthz")


def assert_configured(config: dict[str, Any]) -> None:
    assert config["User"] == f"{NOBODY}:{NOBODY}"
    assert config["Entrypoint"] == ["sagemaker-exporter"]
    assert config["ExposedPorts"] == {"9841/tcp": {}}
    labels = {name.removeprefix("org.opencontainers.image."): value for name, value in config["Labels"].items()}
    assert labels["title"] == "sagemaker-exporter"
    assert labels["licenses"] == "Apache-2.0"
    assert labels["version"] == "1.2.3"


def assert_nothing_to_build_with(root: Path) -> None:
    unwanted = re.compile(r"(pip|pip3|gcc|cc|make|hatch|hatchling)(-?[\d.]+)?|ensurepip|setuptools|pip-.*\.dist-info")
    found = [
        os.path.join(folder, name)
        for top in ("usr/bin", "usr/local", "usr/lib", "opt")
        for folder, folders, files in os.walk(root / top)
        for name in folders + files
        if unwanted.fullmatch(name)
    ]
    assert [path for path in found if "/pip/" not in path and "bash-completion" not in path] == []


def assert_nothing_to_write(image: Image) -> None:
    """Check that the user owns one empty folder and can write nowhere else, and that bytecode is complete."""
    state = image.root / "var/lib/sagemaker-exporter"
    assert (state.stat().st_mode & 0o777, os.listdir(state)) == (0o750, [])
    entries = [Path(folder, name) for folder, folders, files in os.walk(image.root) for name in folders + files]
    facts = {path: path.lstat() for path in entries}
    assert [path for path, fact in facts.items() if NOBODY in {fact.st_uid, fact.st_gid}] == [state]
    anyone = [path for path, fact in facts.items() if stat.S_ISDIR(fact.st_mode) and fact.st_mode & 0o1002 == 0o002]
    assert anyone == []
    compiled = list(image.root.glob("opt/venv/lib/python3*/site-packages/exporter/__pycache__/*.pyc"))
    assert {path.read_bytes()[4:8] for path in compiled} == {UNCHECKED_HASH}


def assert_says_what_it_lacks(image: Image) -> None:
    once = image.run("sagemaker-exporter", "once", AWS_REGION="eu-west-1", AWS_EC2_METADATA_DISABLED="true")
    assert once.returncode == 1
    assert "Traceback" not in once.stderr
    assert "credentials" in once.stderr


def healthy(image: Image, url: str) -> bool:
    _, *check = image.config["Healthcheck"]["Test"]
    return image.run(*check, HEALTHCHECK_URL=url).returncode == 0


def wait_for_jobs(url: str) -> str:
    """Return the metrics as soon as jobs have been described."""
    deadline = time.monotonic() + 60
    while "\nsagemaker_training_job_info{" not in (metrics := fetch(f"{url}/metrics")):
        assert time.monotonic() < deadline, metrics
        time.sleep(0.2)
    return metrics


def fetch(url: str) -> str:
    with urllib.request.urlopen(url, timeout=20) as response:
        body: bytes = response.read()
    return body.decode()
