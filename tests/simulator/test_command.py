"""Test `python -m exporter.simulator`: its output, its exit, and its errors for invalid arguments."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE

import aiohttp
import pytest

from exporter.simulator.command import main


@pytest.mark.process
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_prints_its_url_serves_and_ends_when_told(number: signal.Signals) -> None:
    arguments = ("--jobs", "3", "--steady", "2", "--speed", "10", "--accounts", "111111111111,222222222222")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "exporter.simulator", *arguments, stdout=PIPE, stderr=DEVNULL
    )
    assert process.stdout
    url = (await asyncio.wait_for(process.stdout.readline(), 120)).decode().strip()
    headers = {
        "X-Amz-Target": "SageMaker.ListTrainingJobs",
        "Authorization": "AWS4-HMAC-SHA256 Credential=AKIA222222222222TEST/20260101/us-east-1/sagemaker/aws4_request",
    }
    asking = '{"NameContains": "steady"}'
    async with aiohttp.ClientSession() as session, session.post(url, data=asking, headers=headers) as response:
        listed = await response.json(content_type=None)
    arns = [job["TrainingJobArn"] for job in listed["TrainingJobSummaries"]]
    assert arns == [f"arn:aws:sagemaker:us-east-1:222222222222:training-job/steady-00000{n}" for n in (0, 1)]
    process.send_signal(number)
    assert await asyncio.wait_for(process.wait(), 60) == 0
    assert await process.stdout.read() == b""


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--listen-address", "nowhere"], "argument --listen-address: 'nowhere' is not HOST:PORT"),
        (["--listen-address", "localhost:99999"], "'localhost:99999' is not HOST:PORT"),
        (["--jobs", "many"], "argument --jobs: 'many' is not a whole number from 0 to 100000"),
        (["--jobs", "-1"], "argument --jobs: '-1' is not a whole number from 0 to 100000"),
        (["--speed", "0"], "argument --speed: '0' is not a number"),
        (["--speed", "nan"], "argument --speed: 'nan' is not a number"),
        (["--fault-rate", "2"], "argument --fault-rate: '2' is not a number from 0 to 1"),
        (["--accounts", "12"], "argument --accounts: '12' is not an account: 12 digits"),
        (["--regions", "us-east-1,moon"], "argument --regions: 'moon' is not a region"),
        (["--sped", "2"], "unrecognized arguments: --sped"),
    ],
)
def test_bad_input(arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert complaint in capsys.readouterr().err


def test_an_address_that_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["--listen-address", f"127.0.0.1:{port}"]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"cannot listen on 127.0.0.1:{port}: ")
    assert error.count("\n") == 1
