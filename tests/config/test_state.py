"""Test where totals may be kept: in a file, or in a database that replicas share."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from exporter.config import load
from tests.config.refused import complaints

Write = Callable[[str], str]
URL = "postgresql://exporter@db-1.example.org:5433,db-2.example.org/totals?target_session_attrs=read-write&sslmode=require"


def test_a_database_is_named_without_user_and_parameters(write: Write) -> None:
    state = load(write(f"state: {{url: '{URL}', password_file: /etc/password}}"), {}).state
    assert (state.url, state.password_file) == (URL, "/etc/password")
    assert state.name == "postgresql://db-1.example.org:5433,db-2.example.org/totals"


def test_a_database_without_a_host_has_a_name_too(write: Write) -> None:
    assert load(write("state: {url: 'postgresql:///totals?host=/run'}"), {}).state.name == "postgresql:///totals"


@pytest.mark.parametrize(("line", "name"), [("path: totals.db", "totals.db"), ("path: ''", "memory")])
def test_a_file_and_the_memory_have_names(write: Write, line: str, name: str) -> None:
    assert load(write(f"state: {{{line}}}"), {}).state.name == name


def test_a_file_and_a_database_together_are_refused(write: Write) -> None:
    assert complaints(write("state:\n  path: totals.db\n  url: postgresql:///totals\n")) == [
        "config.yaml:3: state.url: means nothing beside state.path (allowed: either a file or a database)"
    ]


def test_shards_and_a_database_together_are_refused(write: Write) -> None:
    assert complaints(write("state: {url: 'postgresql:///totals'}\nsharding:\n  total: 2\n  index: 0\n")) == [
        (
            "config.yaml:3: sharding.total: means nothing with state.url: replicas share the targets by themselves "
            "(allowed: sharding or state.url, not both)"
        )
    ]


def test_a_rejected_url_is_not_quoted_and_its_password_file_is_not_rejected_too(write: Write) -> None:
    (complaint,) = complaints(write("state:\n  url: postgresql://me:secret@a/b\n  password_file: x\n"))
    assert "secret" not in complaint
