"""Test `sagemaker-exporter doctor` as a command: its exit code, and what a bad configuration is told."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from exporter import cli
from exporter.commands import doctor
from tests.doctor.world import denied, simulated


@pytest.mark.slow
@pytest.mark.parametrize("operation", [None, "DescribeTrainingJob", "ListTags"])
async def test_the_exit_code_says_whether_everything_needed_is_there(
    operation: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with simulated(monkeypatch, jobs=20) as simulator:
        monkeypatch.setattr(doctor, "SystemClock", lambda: simulator.clock)
        simulator.faults = denied(*([operation] if operation else ()))
        code = await asyncio.to_thread(cli.main, ["doctor"])
    told = capsys.readouterr()
    assert told.err == ""
    assert told.out.startswith("# sagemaker-exporter doctor\n")
    assert (f"{operation}: AccessDeniedException" in told.out) == (operation is not None)
    assert code == (operation == "DescribeTrainingJob")


@pytest.mark.parametrize("text", ["polling: {active_interval: soon}\n", "targets: 5\n", "prices: {file: none.yaml}\n"])
def test_a_bad_configuration_is_told_as_by_check_config(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(text)
    assert cli.main(["check-config", str(file)]) == 1
    checked = capsys.readouterr().err
    assert cli.main(["doctor", "--config.file", str(file)]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == checked != ""


@pytest.mark.parametrize("flag", ["--web.listen-address=:1", "--log.level=debug", "--config.auto-reload-interval=1s"])
def test_flags_that_mean_nothing_here_are_refused(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended_with:
        cli.main(["doctor", flag])
    assert ended_with.value.code == 2
    assert "unrecognized arguments" in capsys.readouterr().err
