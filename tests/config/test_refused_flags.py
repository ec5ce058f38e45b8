"""Test the exact message for invalid flags and for the addresses that they name."""

from __future__ import annotations

from collections.abc import Callable

from tests.config.refused import ADDRESSES, TELEMETRY_PATHS, complaints

Write = Callable[[str], str]


def test_a_bad_flag_is_named_as_the_flag(write: Write) -> None:
    path = write('web: {listen_address: "bad too"}')
    assert complaints(path, overrides={"web.listen_address": "nowhere", "web.telemetry_path": "/"}) == [
        f'--web.listen-address: "nowhere" is not an address to listen on (allowed: {ADDRESSES})',
        f'--web.telemetry-path: "/" is not a path for metrics (allowed: {TELEMETRY_PATHS})',
    ]


WEB_KEYS = "listen_address, telemetry_path, external_url, route_prefix"


def test_an_address_in_a_list_is_named_by_its_place(write: Write) -> None:
    assert complaints(write('web:\n  listen_address:\n  - ":1"\n  - nowhere\n  - 5')) == [
        f'config.yaml:4: web.listen_address[1]: "nowhere" is not an address to listen on (allowed: {ADDRESSES})',
        f"config.yaml:5: web.listen_address[2]: 5 is not an address to listen on (allowed: {ADDRESSES})",
    ]


def test_a_flag_that_is_given_several_times_is_named_as_the_flag(write: Write) -> None:
    assert complaints(write(""), overrides={"web.listen_address": [":1", "nowhere"]}) == [
        f'--web.listen-address: "nowhere" is not an address to listen on (allowed: {ADDRESSES})',
    ]
    assert complaints(write(""), overrides={"web.listen_address": [":1", ":1"]}) == [
        '--web.listen-address: ":1" is listed twice (allowed: each entry once)',
    ]


def test_a_flag_does_not_hide_that_its_section_is_wrong(write: Write) -> None:
    assert complaints(write("web: 5"), overrides={"web.listen_address": ":1"}) == [
        "config.yaml:1: web: is a number, not a mapping (allowed: the keys " + WEB_KEYS + ")"
    ]
