"""Test that the exporter may open as many files as the system grants: hundreds of targets have a connection each."""

from __future__ import annotations

import resource
from argparse import Namespace
from collections.abc import Iterator

import pytest

from exporter.commands import serve
from exporter.process import files, stopping


@pytest.fixture
def granted() -> Iterator[int]:
    """Lower the limit of this process during a test; return what the system grants."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1] - 1, before[1]))
    yield before[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_the_limit_is_raised_before_anything_is_served(granted: int, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    monkeypatch.setattr(stopping, "run", lambda _: seen.append(resource.getrlimit(resource.RLIMIT_NOFILE)[0]))
    assert serve.run(Namespace()) == 0
    assert seen == [granted]


def test_a_limit_that_is_refused_stays_as_it_is(granted: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ValueError("current limit exceeds maximum limit")

    with monkeypatch.context() as patch:
        patch.setattr(resource, "setrlimit", refuse)
        files.allow_many()
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == granted - 1
