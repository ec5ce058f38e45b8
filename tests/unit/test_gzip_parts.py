"""gzip from parts, and sections against a section that is built anew."""

from __future__ import annotations

import gzip
import io
from collections.abc import Hashable

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.catalogue.family import Family, Row
from exporter.exposition import Section
from exporter.gzipped import HEADER, Segment, trailer
from exporter.sample_text import OPENMETRICS, TEXT

# A busy machine is no failure.
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
    for part in one.segments():
        if isinstance(part, Segment):
            found.append(part)
        else:
            make, keep = part
            found.append(make())
            keep(found[-1])
    stream = HEADER + b"".join(part.deflated for part in found) + trailer(found)
    return gzip.decompress(stream)


@UNHURRIED
@given(st.lists(st.binary(max_size=2000) | st.just(b"") | st.binary(max_size=3).map(lambda b: b * 3000), max_size=12))
def test_joined_segments_are_one_gzip_member(chunks: list[bytes]) -> None:
    segments = [Segment.of(chunk) for chunk in chunks]
    stream = HEADER + b"".join(segment.deflated for segment in segments) + trailer(segments)
    assert gzip.decompress(stream) == b"".join(chunks)
    with gzip.GzipFile(fileobj=io.BytesIO(stream)) as file:
        assert file.read() == b"".join(chunks)


def test_an_empty_stream_is_a_gzip_member_too() -> None:
    assert gzip.decompress(HEADER + trailer([])) == b""


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
            assert decompressed(changed) == b"".join(changed.text())
    fresh = section()
    for known, thing in now.items():
        fresh.put(known, (str(known),), thing)
    text = b"".join(changed.text())
    assert sorted(text.splitlines()) == sorted(b"".join(fresh.text()).splitlines())
    assert decompressed(changed) == text
    assert len(changed) == len(now)
    assert dict(changed.series()) == dict(fresh.series())


def test_a_compression_of_what_changed_meanwhile_is_not_kept() -> None:
    one = section()
    one.put("k", ("k",), {"a": 1.0})
    begun = [part for part in one.segments() if not isinstance(part, Segment)]
    one.put("k", ("k",), {"a": 2.0})
    for make, keep in begun:
        keep(make())
    assert b'test_a{key="k",label="a"} 2\n' in decompressed(one)


def test_what_did_not_change_is_not_compressed_again() -> None:
    one = section()
    one.put("k", ("k",), {"a": 1.0, "b": 1.0})
    decompressed(one)
    one.put("k", ("k",), {"a": 1.0, "b": 2.0})
    assert [isinstance(part, Segment) for part in one.segments()] == [True, True, True, False]


def test_text_is_as_it_was_at_the_call() -> None:
    one = section()
    one.put("k", ("k",), {"a": 1.0, "b": 1.0})
    text = one.text()
    one.remove("k")
    assert b'test_b{key="k",label="b"} 1\n' in b"".join(text)


def test_openmetrics_ends_with_eof() -> None:
    assert (TEXT.end, OPENMETRICS.end) == (b"", b"# EOF\n")
