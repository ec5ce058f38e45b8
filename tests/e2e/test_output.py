"""Test that unwritable output, names outside the locale and bad arguments are each reported in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.commands import ASCII, Told, run

PRINTING = [
    ["metrics"],
    ["check-config", "config.example.yaml"],
    ["--help"],
    ["once"],
]
FULL = "cannot write the output: No space left on device"


def lines(told: Told) -> list[str]:
    """Return the lines on standard error, without the log."""
    return [line for line in told.err.splitlines() if not line.startswith("ts=")]


@pytest.mark.parametrize("command", PRINTING, ids=" ".join)
def test_a_full_device_is_told(command: list[str]) -> None:
    told = run(*command, redirect="> /dev/full")
    assert (told.status, lines(told)) == (1, [FULL])


@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize("command", PRINTING, ids=" ".join)
def test_a_reader_that_went_away_is_no_error(command: list[str], unbuffered: str) -> None:
    told = run(*command, redirect="| true", environ={"PYTHONUNBUFFERED": unbuffered})
    assert lines(told) == []
    # The targets of `once` fail, and its status shows that if the reader closes the pipe late.
    assert told.status in ({0, 1} if command == ["once"] else {0})


@pytest.mark.parametrize("command", PRINTING, ids=" ".join)
def test_a_closed_standard_output_is_told(command: list[str]) -> None:
    told = run(*command, redirect=">&-")
    assert (told.status, lines(told)) == (1, ["cannot write the output: standard output is closed"])


@pytest.mark.parametrize("redirect", ["2> /dev/full", "2>&-", "2> >(true)"])
def test_errors_that_cannot_be_written_still_give_their_status(redirect: str) -> None:
    assert run("check-config", "/no/such/file", redirect=redirect).status == 1
    assert run("--no-such-flag", redirect=redirect).status == 2


@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])
def test_help_that_cannot_be_written_is_told_whatever_is_buffered(unbuffered: str) -> None:
    told = run("--help", redirect="> /dev/full", environ={"PYTHONUNBUFFERED": unbuffered})
    assert (told.status, lines(told)) == (1, [FULL])


@pytest.mark.parametrize("arguments", [["--help"], ["--jobs", "0"]], ids=" ".join)
def test_the_simulator_tells_too(arguments: list[str]) -> None:
    told = run(*arguments, module="exporter.simulator", redirect="> /dev/full")
    assert (told.status, lines(told)[-1:]) == (1, [FULL])


def test_a_name_that_the_locale_cannot_spell(tmp_path: Path) -> None:
    good, bad = tmp_path / "größe.yaml", tmp_path / "schlecht.yaml"
    good.write_text("state: {path: ''}\n")
    bad.write_text("stäte: {}\ntargets: [{regions: [münchen]}]\n", encoding="utf-8")
    told = run("check-config", str(good), environ=ASCII)
    assert told.status == 0
    assert told.out.endswith("e.yaml: OK\n")
    assert told.out.isascii()
    told = run("check-config", str(bad), environ=ASCII)
    assert told.status == 1
    assert [line.split(": ")[1] for line in lines(told)] == [r'"st\xe4te"', "targets[0].regions[0]"]
    told = run("--config.file", str(tmp_path / "ü.yaml"), environ=ASCII)
    assert told.status == 1
    assert lines(told)[0].endswith("cannot be read: No such file or directory (allowed: a file of YAML)")


@pytest.mark.parametrize("command", [["check-config"], ["once", "--config.file"], ["demo", "--config.file"]])
def test_a_state_file_that_the_locale_cannot_name(tmp_path: Path, command: list[str]) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(f"state: {{path: {tmp_path}/größe.db}}\n", encoding="utf-8")
    told = run(*command, str(file), environ=ASCII)
    assert told.status == 1
    assert len(lines(told)) == 1
    assert "cannot be the name of a file in this locale (ascii)" in told.err
    assert "LC_ALL=C.UTF-8" in told.err


def test_log_lines_in_an_ascii_locale(tmp_path: Path) -> None:
    file = tmp_path / "größe.yaml"
    file.write_text("targets: [{regions: [us-esat-1]}]\n")
    told = run("once", "--config.file", str(file), environ=ASCII)
    assert told.err.isascii()
    assert [line.split()[1] for line in told.err.splitlines()] == ["level=warn"] * 3
    assert "did you mean us-east-1?" in told.err.splitlines()[0]


@pytest.mark.parametrize(
    ("flags", "status", "said"),
    [
        (["--web.listen-address=foo"], 1, '--web.listen-address: "foo" is not an address to listen on'),
        (["--web.listen-address=a..b:1"], 1, '--web.listen-address: "a..b:1" is not an address to listen on'),
        (["--web.listen-address=192.0.2.1:0"], 1, "cannot listen on 192.0.2.1:0: this machine has no such address"),
        (["--web.telemetry-path=metrics"], 1, '--web.telemetry-path: "metrics" is not a path for metrics'),
        (["--speed=0"], 2, "argument --speed: '0' is not a number from 0.01 to 100.0"),
        (["--speed=-1"], 2, "argument --speed: '-1' is not a number from 0.01 to 100.0"),
        (["--speed=nan"], 2, "argument --speed: 'nan' is not a number from 0.01 to 100.0"),
        (["--speed=inf"], 2, "argument --speed: 'inf' is not a number from 0.01 to 100.0"),
        (["--jobs=0"], 2, "argument --jobs: '0' is not a whole number from 1 to 10000"),
        (["--jobs=-1"], 2, "argument --jobs: '-1' is not a whole number from 1 to 10000"),
        (["--jobs=1000000000"], 2, "argument --jobs: '1000000000' is not a whole number from 1 to 10000"),
        (["--jobs=1.5"], 2, "argument --jobs: '1.5' is not a whole number from 1 to 10000"),
        (["--seed=x"], 2, "argument --seed: invalid int value: 'x'"),
        (["--config.file=/no/such"], 1, "/no/such: cannot be read: No such file or directory"),
        (["--config.file=/"], 1, "/: cannot be read: Is a directory"),
        (["--config.file=/dev/zero"], 1, "/dev/zero: is too large (allowed: a file of YAML of at most 1 MiB)"),
        (["--web.config.file=/dev/zero"], 1, "/dev/zero: is too large"),
        (["--config.file=a", "--config.file=b"], 2, "argument --config.file: may be given only once"),
        (["--log.level=bad"], 2, "argument --log.level: invalid choice: 'bad'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_demo_that_cannot_begin_says_why(flags: list[str], status: int, said: str) -> None:
    told = run("demo", *flags)
    assert told.status == status
    assert said in told.err.splitlines()[-1]
    assert "Traceback" not in told.err


def test_a_flag_before_a_command_that_does_not_take_it_is_refused() -> None:
    told = run("--log.level=debug", "--web.listen-address=:1", "once")
    assert (told.status, lines(told)[-1]) == (
        2,
        "sagemaker-exporter: error: argument --web.listen-address: means nothing with once",
    )
    told = run("--log.level=debug", "--web.config.file=/no/such", "check-config", "config.example.yaml")
    assert lines(told)[-1].startswith("/no/such: cannot be read")


def test_a_flag_before_and_after_the_command_is_given_twice() -> None:
    told = run("--config.file=a", "once", "--config.file=b")
    assert (told.status, lines(told)[-1]) == (
        2,
        "sagemaker-exporter once: error: argument --config.file: may be given only once",
    )
