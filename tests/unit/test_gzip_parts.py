"""Test gzip streams joined from parts, and sections against a section that is rendered from scratch."""

from __future__ import annotations

import gzip
import io
from collections.abc import Hashable, Iterable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.exposition.family import Family, Row
from exporter.exposition.gzip import HEADER, Segment, Trailer
from exporter.exposition.section import Section
from exporter.exposition.text import OPENMETRICS, TEXT

# A slow machine must not fail the test.
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

Thing = dict[str, float]


def rows(name: str) -> Family[Thing]:
    def of(thing: Thing) -> list[Row]:
        return [((name,), thing[name])] if name in thing else []

    return Family(f"test_{name}", "gauge", f"Test of {name}.", ("key",), ("label",), of)


FAMILIES = (rows("a"), rows("b"))


def section() -> Section[Thing]:
    return Section(FAMILIES, lambda family, thing: family.rows(thing), TEXT)


def decompressed(one: Section[Thing]) -> bytes:
    found = []
    for part in one.segments(TEXT):
        if isinstance(part, Segment):
            found.append(part)
        else:
            found.append(part.made())
            part.keep(found[-1])
    return gzip.decompress(stream(found))


def stream(segments: Iterable[Segment]) -> bytes:
    trailer = Trailer()
    deflated = b""
    for segment in segments:
        trailer.add(segment)
        deflated += segment.deflated
    return HEADER + deflated + bytes(trailer)


@UNHURRIED
@given(st.lists(st.binary(max_size=2000) | st.just(b"") | st.binary(max_size=3).map(lambda b: b * 3000), max_size=12))
def test_joined_segments_are_one_gzip_member(chunks: list[bytes]) -> None:
    zipped = stream(Segment.of(chunk) for chunk in chunks)
    assert gzip.decompress(zipped) == b"".join(chunks)
    with gzip.GzipFile(fileobj=io.BytesIO(zipped)) as file:
        assert file.read() == b"".join(chunks)


def test_an_empty_stream_is_a_gzip_member_too() -> None:
    assert gzip.decompress(stream([])) == b""


@pytest.mark.parametrize("length", [1, 255, 256, 65535, 65537, 16_777_216 + 3])
def test_a_segment_of_any_length_may_follow(length: int) -> None:
    segments = [Segment.of(b"before"), Segment.of(b"x" * length), Segment.of(b"after")]
    assert gzip.decompress(stream(segments)) == b"before" + b"x" * length + b"after"


things = st.dictionaries(st.sampled_from(["a", "b"]), st.floats(0, 9).map(lambda x: round(x, 1)), max_size=2)
# Some keys have more than one block's worth of neighbours.
steps = st.lists(
    st.tuples(st.integers(0, 12), things | st.none(), st.sampled_from([False, False, True])), min_size=1, max_size=40
)


@UNHURRIED
@given(steps, st.sampled_from([0, 250]))
def test_a_section_after_any_changes_is_what_a_new_one_would_be(
    changes: list[tuple[int, Thing | None, bool]], many: int
) -> None:
    changed, now = section(), dict[Hashable, Thing]()
    for number in range(many):
        changed.put(f"x{number}", (f"x{number}",), {"a": 1.0})
        now[f"x{number}"] = {"a": 1.0}
    for key, thing, compress in changes:
        if thing is None:
            changed.remove(key)
            now.pop(key, None)
        else:
            changed.put(key, (str(key),), thing)
            now[key] = thing
        if compress:
            assert decompressed(changed) == b"".join(changed.text(TEXT))
    fresh = section()
    for known, thing in now.items():
        fresh.put(known, (str(known),), thing)
    text = b"".join(changed.text(TEXT))
    assert sorted(text.splitlines()) == sorted(b"".join(fresh.text(TEXT)).splitlines())
    assert decompressed(changed) == text
    assert len(changed) == len(now)
    assert dict(changed.series()) == dict(fresh.series())


def test_a_compression_of_what_changed_meanwhile_is_not_kept() -> None:
    one = section()
    one.put("k", ("k",), {"a": 1.0})
    begun = [part for part in one.segments(TEXT) if not isinstance(part, Segment)]
    one.put("k", ("k",), {"a": 2.0})
    for part in begun:
        part.keep(part.made())
    assert b'test_a{key="k",label="a"} 2\n' in decompressed(one)


def test_what_did_not_change_is_not_compressed_again() -> None:
    one = section()
    one.put("k", ("k",), {"a": 1.0, "b": 1.0})
    decompressed(one)
    one.put("k", ("k",), {"a": 1.0, "b": 2.0})
    assert [isinstance(part, Segment) for part in one.segments(TEXT)] == [True, True, True, False]


def test_text_is_as_it_was_at_the_call() -> None:
    one = section()
    one.put("k", ("k",), {"a": 1.0, "b": 1.0})
    text = one.text(TEXT)
    one.remove("k")
    assert b'test_b{key="k",label="b"} 1\n' in b"".join(text)


def test_segments_are_as_it_was_at_the_call() -> None:
    one = section()
    one.put("k", ("k",), {"a": 1.0, "b": 1.0})
    parts = one.segments(TEXT)
    one.put("k", ("k",), {"b": 2.0})
    text = gzip.decompress(stream(part if isinstance(part, Segment) else part.made() for part in parts))
    assert text.count(b"\ntest_") == 2
    assert b'test_b{key="k",label="b"} 1\n' in text


def test_openmetrics_ends_with_eof() -> None:
    assert (TEXT.end, OPENMETRICS.end) == (b"", b"# EOF\n")
