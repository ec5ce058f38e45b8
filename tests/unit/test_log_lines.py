"""Test log lines in their machine-readable formats, without any text of AWS from an exception."""

from __future__ import annotations

import ast
import json
import logging
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.process.logs import LEVELS, Log, configure
from tests.prometheus import ROOT


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in (None, "exporter", "py.warnings")]
    handlers, levels = loggers[0].handlers[:], [logger.level for logger in loggers]
    loggers[0].handlers.clear()
    yield
    logging.captureWarnings(False)
    loggers[0].handlers[:] = handlers
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


def test_logfmt_quotes_what_is_not_plain(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", "logfmt")
    logging.getLogger("exporter.x").warning('two words, "a" and\na=b')
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert line.startswith("ts=20")
    assert line.endswith(r'Z level=warn caller=exporter.x msg="two words, \"a\" and\na=b"' + "\n")


def test_json_has_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure("debug", "json")
    logging.getLogger("exporter.x").debug("a\nb")
    found = json.loads(capsys.readouterr().err)
    assert found.keys() == {"ts", "level", "caller", "msg"}
    assert (found["level"], found["caller"], found["msg"]) == ("debug", "exporter.x", "a\nb")


@pytest.mark.parametrize("style", ["json", "logfmt"])
def test_an_exception_is_named_and_not_quoted(style: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", style)
    try:
        raise ValueError("SECRET")
    except ValueError:
        logging.getLogger("exporter").error("failed", exc_info=sys.exc_info())
    text = capsys.readouterr().err
    assert "ValueError" in text
    assert "SECRET" not in text
    assert "Traceback" not in text


@pytest.mark.parametrize(("level", "shown"), [("debug", 4), ("info", 3), ("warn", 2), ("error", 1)])
def test_a_level_holds_for_the_exporter_and_the_sdk_says_errors_only(
    level: str, shown: int, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(level, "logfmt")
    for number in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
        logging.getLogger("exporter.x").log(number, "own")
        logging.getLogger("botocore").log(number, "sdk")
    lines = capsys.readouterr().err.splitlines()
    assert len([line for line in lines if "own" in line]) == shown
    assert len([line for line in lines if "sdk" in line]) == 1


@pytest.mark.parametrize(
    ("style", "line"),
    [
        (
            "json",
            '"msg": "a call", "operation": "Search", "duration_seconds": 0.1, "job": "a b", "ok": true, "empty": ""}\n',
        ),
        ("logfmt", 'msg="a call" operation=Search duration_seconds=0.1 job="a b" ok=true empty=""\n'),
    ],
)
def test_what_varies_is_a_field(style: str, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", style)
    Log("exporter.x").info("a call", operation="Search", duration_seconds=0.1, job="a b", ok=True, empty="", code=None)
    assert capsys.readouterr().err.endswith(line)


def test_each_level_has_its_method(capsys: pytest.CaptureFixture[str]) -> None:
    configure("debug", "logfmt")
    log = Log("exporter.x")
    for write in (log.debug, log.info, log.warning, log.error):
        write("said", n=1)
    try:
        raise ValueError("SECRET")
    except ValueError:
        log.exception("failed", n=2)
    lines = [line.partition(" ")[2] for line in capsys.readouterr().err.splitlines()]
    assert lines == [
        *(f"level={level} caller=exporter.x msg=said n=1" for level in LEVELS),
        "level=error caller=exporter.x msg=failed n=2 err=ValueError",
    ]
    assert log.shows_debug
    configure("info", "logfmt")
    assert not log.shows_debug


def test_a_field_that_json_does_not_know_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", "json")
    Log("exporter.x").info("read", file=Path("/x"))
    assert json.loads(capsys.readouterr().err)["file"] == "/x"


def test_a_warning_of_python_is_a_line_of_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    configure("error", "json")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        # The filters are the test's; where a warning that passes them goes is what counts.
        logging.captureWarnings(False)
        logging.captureWarnings(True)
        warnings.warn("the SDK will change", FutureWarning, stacklevel=1)
    found = json.loads(capsys.readouterr().err)
    assert (found["level"], found["caller"]) == ("warn", "py.warnings")
    assert "FutureWarning: the SDK will change" in found["msg"]


def _calls() -> Iterator[tuple[str, ast.Call]]:
    """Return every call that writes to the log."""
    for file in sorted((ROOT / "exporter").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                owner = node.func.value
                if isinstance(owner, ast.Name) and owner.id == "_log":
                    yield f"{file.relative_to(ROOT)}:{node.lineno}", node


def test_every_message_of_the_exporter_is_constant() -> None:
    calls = list(_calls())
    assert len(calls) > 20
    for place, call in calls:
        (message,) = call.args
        assert isinstance(message, ast.Constant), place
        assert isinstance(message.value, str), place
        assert "%" not in message.value, place
        assert not message.value.endswith((":", ".")), place


def test_the_exporter_logs_through_nothing_else() -> None:
    others = [
        file.name
        for file in (ROOT / "exporter").rglob("*.py")
        if "logging." in file.read_text() and file.name != "logs.py"
    ]
    # The web server silences aiohttp's own log, and the connection to a database psycopg's.
    assert sorted(others) == ["connection.py", "server.py"]
