"""Test the command line: the output and the exit code of each command."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

import pytest

from exporter import __version__, cli, flags
from exporter.catalogue import CATALOGUE
from exporter.cli import main
from exporter.commands import metrics
from exporter.simulator import Fault, Faults, Kind, Simulator, steady
from tests.e2e.exposed import Exposed, lead_to
from tests.prometheus import ROOT


@pytest.fixture(autouse=True)
def _logging_as_it_was(logging_restored: None) -> None: ...


def test_metrics_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["metrics", "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows] == [family.name for family in CATALOGUE]
    assert all(set(row) == {"name", "type", "help", "labels"} for row in rows)


@pytest.mark.parametrize("flags", [[], ["--format", "markdown"]], ids=["default", "asked"])
def test_metrics_as_markdown(flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["metrics", *flags]) == 0
    text = capsys.readouterr().out
    assert text.startswith("# Metrics\n")
    assert [f.name for f in CATALOGUE if f"| `{f.name}` | {f.kind} |" not in text] == []


def test_a_good_configuration_is_ok(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "good.yaml"
    file.write_text("polling:\n  active_interval: 10s\n")
    assert main(["check-config", str(file)]) == 0
    assert capsys.readouterr().out == f"{file}: OK\n"


@pytest.mark.parametrize("command", [["check-config"], ["--config.file"], ["once", "--config.file"]])
def test_a_bad_configuration_is_told_with_its_lines(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text("polling:\n  active_interval: soon\nwebb: {}\njobs:\n  disabled_metrics: [no_such_metric]\n")
    assert main([*command, str(file)]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    lines = {
        line.removeprefix(f"{file}:").split(":")[0]: line
        for line in told.err.splitlines()
        if line.startswith(str(file))
    }
    assert set(lines) == {"2", "3", "5"}
    assert "polling.active_interval" in lines["2"]
    assert "Traceback" not in told.err


def test_a_configuration_that_is_not_there_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check-config", "/no/such/file.yaml"]) == 1
    assert "No such file" in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(f"sagemaker-exporter, version {__version__} ")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--no-such-flag"],
        ["no-such-command"],
        ["--log.level", "loud"],
        ["--log.format", "xml"],
        ["check-config"],
        ["metrics", "--format", "yaml"],
        ["demo", "--jobs", "many"],
        ["--config.auto-reload-interval", "soon"],
        ["--web.listen"],
        ["once", "--web.listen-address", ":1"],
        ["once", "--web.enable-lifecycle"],
        ["once", "--config.auto-reload-interval", "30s"],
        ["metrics", "--config.file", "config.yaml"],
        ["--web.listen-address", ":1", "once"],
        ["--web.enable-lifecycle", "once"],
        ["--config.auto-reload-interval", "30s", "doctor"],
        ["--web.config.file", "web.yaml", "once"],
        ["--config.file", "config.yaml", "metrics"],
        ["--config.file", "config.yaml", "check-config", "config.yaml"],
        ["--web.route-prefix", "/", "state", "copy", "--from", "a", "--to", "b"],
    ],
    ids=" ".join,
)
def test_bad_flags_are_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: sagemaker-exporter" in capsys.readouterr().err


@pytest.mark.parametrize("command", [command or "" for command in cli.COMMANDS])
def test_every_argument_has_a_help_text(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([*filter(None, [command]), "--help"])
    entries = re.findall(r"^  (\S.*(?:\n {4,}\S.*)*)", capsys.readouterr().out, re.MULTILINE)
    described = [entry for entry in entries if re.search(r"\S(?:  +|\n {4,})[a-zA-Z]", entry)]
    assert described == entries != []


@pytest.mark.parametrize("level", ["info", "debug"])
def test_a_mistake_of_ours_is_a_line_that_quotes_nothing(
    level: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_: object) -> int:
        raise RuntimeError("s3cret")

    monkeypatch.setattr(metrics, "run", broken)
    assert main(["--log.level", level, "metrics"]) == 1
    told = capsys.readouterr()
    first, *more = told.err.splitlines()
    assert first.startswith("internal error (RuntimeError), please report it")
    assert bool(more) == (level == "debug")
    assert "in broken" in told.err or level == "info"
    assert "Traceback" not in told.err
    assert "RuntimeError: s3cret" not in told.err


@pytest.mark.parametrize("denied", [False, True], ids=["well", "denied"])
async def test_once_prints_and_says_how_it_went(
    denied: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with Simulator() as sim:
        sim.store.add("123456789012", "us-east-1", *steady(3, time.time() - 600))
        sim.faults = Faults((Fault(Kind.ACCESS_DENIED, operation="ListTrainingJobs"),) if denied else ())
        lead_to(sim, monkeypatch)
        code = await asyncio.to_thread(main, ["once"])
    told = capsys.readouterr()
    metrics = Exposed(told.out)
    assert code == int(denied)
    assert metrics.value("sagemaker_exporter_target_up", aws_region="us-east-1") == int(not denied)
    assert len(metrics.rows("sagemaker_training_job_creation_timestamp_seconds")) == (0 if denied else 3)
    assert ("AccessDenied" in told.err) == denied
    assert "Traceback" not in told.err


def test_once_without_credentials_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert main(["once"]) == 1
    told = capsys.readouterr()
    assert "no AWS credentials were found" in told.err
    assert "Traceback" not in told.err
    assert [up for _, up in Exposed(told.out).rows("sagemaker_exporter_target_up")] == [0]


def listened_on(*arguments: str) -> object:
    return flags.overrides(flags.parse(arguments)).get("web.listen_address")


def test_every_address_that_is_given_is_listened_on() -> None:
    flag = "--web.listen-address"
    assert listened_on() is None
    assert listened_on(flag, ":1") == ":1"
    assert listened_on(flag, ":1", f"{flag}=:2") == [":1", ":2"]
    assert listened_on(flag, ":1", flag, ":2", "demo") == [":1", ":2"]
    assert listened_on(flag, ":1", "demo", flag, ":2", flag, ":3") == [":1", ":2", ":3"]
    assert listened_on("demo", flag, ":2") == ":2"


def test_each_address_is_announced_and_answers(tmp_path: Path) -> None:
    prefix = "--web.external-url=https://example.org/sagemaker"
    command = (sys.executable, "-m", "exporter", prefix, "demo", "--jobs", "1")
    addresses = ("--web.listen-address=127.0.0.1:0", "--web.listen-address=127.0.0.2:0")
    with subprocess.Popen((*command, *addresses), stdout=subprocess.PIPE, text=True) as process:
        try:
            for host in ("127.0.0.1", "127.0.0.2"):
                said = process.stdout.readline() if process.stdout else ""
                found = re.fullmatch(rf"metrics at (http://{host}:\d+/sagemaker)/metrics, status at \1/\n", said)
                assert found, said
                with urlopen(f"{found[1]}/healthz", timeout=10) as answer:
                    assert answer.read() == b"ok\n"
        finally:
            process.kill()


@pytest.mark.parametrize("style", ["json", "logfmt"])
def test_the_first_line_of_the_log_says_what_runs(style: str, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(f"state: {{path: {tmp_path}/state.db}}\n")
    flags = (f"--log.format={style}", "--web.listen-address=127.0.0.1:0", f"--config.file={config}", "--jobs=1")
    command = (sys.executable, "-m", "exporter", "demo", *flags)
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            lines = [process.stdout.readline() for _ in range(2)] if process.stdout else []
        finally:
            process.kill()
    sources = "jobs,tags,prices,quotas,cloudwatch"
    fields = f"version={__version__} targets=2 strategy=describe state={tmp_path}/state.db sources={sources}\n"
    if style == "logfmt":
        assert lines[0].endswith(f"level=info caller=exporter.serving msg=starting {fields}")
        assert lines[1].startswith("metrics at http://127.0.0.1:")
        return
    # No line of both outputs has another format.
    first, second = map(json.loads, lines)
    assert list(first) == ["ts", "level", "caller", "msg", "version", "targets", "strategy", "state", "sources"]
    assert (first["msg"], first["version"], first["targets"]) == ("starting", __version__, 2)
    assert second["msg"] == "listening"
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/metrics", second["metrics"])
    assert second["status"] == second["metrics"].removesuffix("metrics")


def test_an_address_that_cannot_be_listened_on_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    addresses = ("--web.listen-address=127.0.0.1:0", "--web.listen-address=203.0.113.77:9841")
    assert main([*addresses, "demo", "--jobs", "1"]) == 1
    assert "cannot listen on 203.0.113.77:9841: this machine has no such address" in capsys.readouterr().err
