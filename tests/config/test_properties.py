from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from exporter.config import Config, ConfigError, load

EXAMPLE = (Path(__file__).parents[2] / "config.example.yaml").read_text(encoding="utf-8")
# Uncommented, so that the mutations reach the targets, too; the prose is left out for speed.
LINES = [re.sub(r"^( *)#", r"\1", line) for line in EXAMPLE.splitlines() if not re.match(r" *# \S", line)]
SCRAPS = st.one_of(
    st.sampled_from(["&a ", "*a", "<<: *a", "!x ", "!!int ", "- ", ": ", "? ", "[", "]", "{", "}", '"', "'", "|", ">"]),
    st.sampled_from(["\t", "%", "---\n", "...\n", "#", "\n", "  ", "\0", "\u2028", "\ud7ff", "\ufeff", *"*~"]),
    st.sampled_from(["yes", "true", "0", "-1", "1e999", ".nan", "9" * 5000, "5 parsecs", "us-east-1", "::1", "x-99"]),
    st.sampled_from(["(?i)", "[[", "a{9999999999}", *Config.model_fields]),
    st.text(max_size=6),
)
POD = {"HOSTNAME": "sagemaker-exporter-0"}
# Where lines end for YAML.
BREAKS = re.compile("\r\n|[\r\n\x85\u2028\u2029]")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("config") / "config.yaml"


def judge(file: Path, data: bytes) -> None:
    """Check that the text gives either a configuration, or problems that each have a line in the file."""
    file.write_bytes(data)
    try:
        load(str(file), POD, known_metrics=["sagemaker_training_job_info"])
    except ConfigError as error:
        refused = error
    else:
        return
    lines = len(BREAKS.findall(data.decode(errors="replace"))) + 1
    assert refused.problems
    assert len(str(refused).splitlines()) == len(refused.problems)
    assert str(refused).encode()
    for problem in refused.problems:
        assert problem.place is not None
        assert 1 <= problem.place.line <= lines
        assert problem.place.column >= 1
        assert problem.message
        assert problem.allowed


@st.composite
def mutations(draw: st.DrawFn) -> str:
    lines = list(LINES)
    for _ in range(draw(st.integers(1, 4))):
        index = draw(st.integers(0, len(lines) - 1))
        line = lines[index]
        start = draw(st.integers(0, len(line)))
        end = draw(st.integers(start, len(line)))
        match draw(st.sampled_from(["splice", "delete", "repeat", "swap"])):
            case "splice":
                lines[index] = line[:start] + draw(SCRAPS) + line[end:]
            case "delete":
                del lines[index]
            case "repeat":
                lines.insert(draw(st.integers(0, len(lines))), line)
            case _:
                other = draw(st.integers(0, len(lines) - 1))
                lines[index], lines[other] = lines[other], lines[index]
    return "\n".join(lines)


def test_the_lines_that_are_mutated_load(file: Path) -> None:
    file.write_text("\n".join(LINES), encoding="utf-8")
    assert len(load(str(file), {}).targets) == 2


@given(mutations())
def test_a_mutated_example_loads_or_says_where_it_is_wrong(file: Path, text: str) -> None:
    judge(file, text.encode("utf-8", "surrogatepass"))


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | SCRAPS
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)
KEYS = [
    (name, key)
    for name, field in Config.model_fields.items()
    if name != "targets"
    for key in type(field.default).model_fields
]
TARGET_KEYS = ("regions", "role_arn", "external_id", "session_name")


@given(st.sampled_from(KEYS), VALUES)
def test_any_value_at_any_key_loads_or_says_where_it_is_wrong(file: Path, path: tuple[str, str], value: object) -> None:
    judge(file, json.dumps({path[0]: {path[1]: value}}).encode())


@given(st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys(TARGET_KEYS, VALUES)), max_size=3))
def test_any_targets_load_or_say_where_they_are_wrong(file: Path, targets: list[object]) -> None:
    judge(file, json.dumps({"targets": targets}).encode())


@given(st.binary(max_size=60))
@example(b"\xef\xbb\xbf")
@example(b"a: &a [*a, *a]\n<<: *a")
@example(b"[" * 600)
@example(b"{a: " * 600)
@example(b'{"\\ud800": "\\ud800"}')
@example(b"? [a]\n: b\n? {a: b}\n: c\n? ~\n: d\n")
@settings(deadline=None)  # deep nesting takes PyYAML a while
def test_any_bytes_load_or_say_where_they_are_wrong(file: Path, data: bytes) -> None:
    judge(file, data)
