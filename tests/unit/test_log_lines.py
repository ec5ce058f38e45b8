"""Log lines as programs read them, without anything that AWS said in an exception."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator

import pytest

from exporter.logs import configure


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root, own = logging.getLogger(), logging.getLogger("exporter")
    handlers, levels = root.handlers[:], (root.level, own.level)
    root.handlers.clear()
    yield
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    own.setLevel(levels[1])


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
        ("json", '"msg": "call", "operation": "Search", "duration_seconds": "0.1", "job": "a b"}\n'),
        ("logfmt", 'msg=call operation=Search duration_seconds=0.1 job="a b"\n'),
    ],
)
def test_fields_of_a_message_are_fields(style: str, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", style)
    fields = {"operation": "Search", "duration_seconds": 0.1, "job": "a b"}
    logging.getLogger("exporter.x").info("call", extra={"fields": fields})
    assert capsys.readouterr().err.endswith(line)
