"""Test that a name server that does not respond delays neither scrapes nor the exit of the process."""

from __future__ import annotations

import gzip
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import Request, urlopen

from tests.prometheus import ROOT

# Python imports this module when it starts. It makes the system's resolver hang.
_HANGS = """
import socket, time
known = socket.getaddrinfo
def getaddrinfo(host, *arguments, **keywords):
    if str(host).endswith(".amazonaws.com"):
        with open({asked!r}, "a") as asked:
            asked.write(str(host) + chr(10))
        time.sleep(600)
    return known(host, *arguments, **keywords)
socket.getaddrinfo = getaddrinfo
"""
# Far shorter than the name server hangs, and still long enough for a busy machine.
_QUICK = 60.0
_REGIONS = ("us-east-1", "us-east-2", "us-west-1", "us-west-2", "eu-west-1", "eu-west-2", "eu-west-3", "eu-central-1")
_CONFIG = f"""
targets:
  - regions: [{", ".join(_REGIONS)}]
  - regions: [{", ".join(_REGIONS)}]
    role_arn: arn:aws:iam::123456789012:role/reader
polling:
  timeout: 5s
web:
  listen_address: 127.0.0.1:0
"""


def test_scrapes_and_sigterm_are_quick(tmp_path: Path) -> None:
    asked, config = tmp_path / "asked", tmp_path / "config.yaml"
    (tmp_path / "sitecustomize.py").write_text(_HANGS.format(asked=str(asked)))
    config.write_text(_CONFIG)
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-m", "exporter", "--config.file", str(config)]
    with (
        (tmp_path / "log").open("w") as log,
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=log, text=True) as process,
    ):
        try:
            found = re.search(r"http://\S+?(?=/metrics)", process.stdout.readline() if process.stdout else "")
            assert found, (tmp_path / "log").read_text()
            _wait_for(lambda: asked.exists() and len(asked.read_text().split()) >= len(_REGIONS))
            began = time.monotonic()
            request = Request(f"{found[0]}/metrics", headers={"Accept-Encoding": "gzip"})
            with urlopen(request, timeout=_QUICK) as response:
                assert b"sagemaker_exporter_target_up" in gzip.decompress(response.read())
            with urlopen(f"{found[0]}/", timeout=_QUICK) as response:
                assert response.status == 200
            scraped = time.monotonic() - began
            process.send_signal(signal.SIGTERM)
            began = time.monotonic()
            assert process.wait(_QUICK) == 0
            ended = time.monotonic() - began
        finally:
            process.kill()
    assert scraped < _QUICK
    assert ended < _QUICK
    # A name whose resolution hangs is not requested again.
    assert len(asked.read_text().split()) == len(set(asked.read_text().split()))


def _wait_for(condition: object) -> None:
    deadline = time.monotonic() + _QUICK
    while not (callable(condition) and condition()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
