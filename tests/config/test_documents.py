"""Test that config.example.yaml and docs/configuration.md agree with the code."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, get_args

import botocore
import pytest
import yaml
from pydantic import BaseModel

from exporter.aws.sessions import Sessions
from exporter.config import Config, ConfigError, Prices, load
from exporter.config.duration import parse
from exporter.flags import parser

Write = Callable[[str], str]

ROOT = Path(__file__).parents[2]
EXAMPLE = (ROOT / "config.example.yaml").read_text(encoding="utf-8")
DOCS = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
ROWS = {
    cells[0].strip("`"): [cell.replace("\\|", "|") for cell in cells]
    for line in DOCS.splitlines()
    if len(cells := re.split(r"(?<!\\)\|", line)[1:-1]) == 5 and (cells := [cell.strip() for cell in cells])
    if cells[0].startswith("`")
}


def fields(model: type[BaseModel] = Config, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the key path and the field of every key that is not itself a section."""
    for name, field in model.model_fields.items():
        candidates = (field.annotation, *get_args(field.annotation))
        section = next((c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)), None)
        listed = "[]" if section is not field.annotation and section else ""
        if section:
            yield from fields(section, f"{prefix}{name}{listed}.")
        else:
            yield f"{prefix}{name}", field


FIELDS = dict(fields())


def keys(data: object, prefix: str = "") -> Iterator[str]:
    for name, value in data.items() if isinstance(data, dict) else ():
        if isinstance(value, dict):
            yield from keys(value, f"{prefix}{name}.")
        elif name in ("targets", "adjustments"):
            for item in value:
                yield from keys(item, f"{prefix}{name}[].")
        else:
            yield f"{prefix}{name}"


_BESIDE = {
    "sharding.index": "total: 4, ",
    "sharding.total": "index: 0, ",
    "state.password_file": "url: 'postgresql:///totals', ",
}


def nested(key: str, text: str) -> str:
    """Return a file that has only this key, and the keys that it needs."""
    section, _, name = key.partition(".")
    if section == "targets[]":
        role = "" if name == "role_arn" else "role_arn: arn:aws:iam::123456789012:role/a, "
        regions = "" if name == "regions" else "regions: [us-east-1], "
        return f"targets: [{{{regions}{role}{name}: {text}}}]"
    if name.startswith("adjustments[]."):
        name = name.removeprefix("adjustments[].")
        multiplier = "" if name == "multiplier" else "multiplier: 1, "
        return f"{section}: {{adjustments: [{{{multiplier}{name}: {text}}}]}}"
    beside = _BESIDE.get(key, "")
    return f"{section}: {{{beside}{name}: {text}}}"


def value_at(config: Config, key: str) -> object:
    section, _, name = key.partition(".")
    record: Any = config.targets[0] if section == "targets[]" else getattr(config, section)
    if name.startswith("adjustments[]."):
        record, name = record.adjustments[0], name.removeprefix("adjustments[].")
    return getattr(record, name)


def test_the_example_is_the_defaults() -> None:
    assert load(str(ROOT / "config.example.yaml"), {}) == Config()


def test_the_example_uncommented_has_every_key_and_loads(write: Write) -> None:
    text = re.sub(r"^( *)#(?! \S)", r"\1", EXAMPLE, flags=re.MULTILINE)
    config = load(write(text), {})
    assert set(keys(yaml.safe_load(text))) == FIELDS.keys()
    assert config.prices == Prices(adjustments=config.prices.adjustments)
    assert [(a.account, a.instance_type, a.usage, a.multiplier) for a in config.prices.adjustments] == [
        ("123456789012", "ml.p4d.*", "training", Fraction(88, 100))
    ]
    assert config == Config().model_copy(update={"targets": config.targets, "prices": config.prices})
    assert [target.account_id for target in config.targets] == [None, "123456789012"]
    assert config.targets[1].external_id is not None


def test_every_line_of_the_example_fits_an_editor() -> None:
    assert max(map(len, EXAMPLE.splitlines())) <= 120


def test_every_key_of_the_example_has_a_comment() -> None:
    lines = EXAMPLE.splitlines()
    shared = {"describe_rps", "search_rps"}  # one comment, above list_rps, is for all three
    for before, line in itertools.pairwise(lines):
        match = re.fullmatch(r" +#?([a-z_]+): .*", line)
        if match and match[1] not in shared:
            assert before.lstrip().startswith("#"), line


def test_the_docs_have_every_key_in_order_of_sections() -> None:
    assert ROWS.keys() == FIELDS.keys()
    sections = [key.partition(".")[0].removesuffix("[]") for key in ROWS]
    assert list(dict.fromkeys(sections)) == list(Config.model_fields)


@pytest.mark.parametrize("key", FIELDS)
def test_the_docs_have_the_default(write: Write, key: str) -> None:
    field, default = FIELDS[key], ROWS[key][2]
    if field.is_required():
        assert default == "required"
    elif field.default is None:
        assert default == "none"
    else:
        assert value_at(load(write(nested(key, default.strip("`"))), {}), key) == field.default


@pytest.mark.parametrize("key", FIELDS)
def test_the_example_in_the_docs_loads_and_is_not_the_default(write: Write, key: str) -> None:
    config = load(write(nested(key, ROWS[key][4].strip("`"))), {})
    assert value_at(config, key) != FIELDS[key].default


RANGES = {key: cells[1] for key, cells in ROWS.items() if cells[1].startswith("duration, ")}


@pytest.mark.parametrize("key", RANGES)
def test_the_limits_of_durations_in_the_docs_are_those_of_the_code(write: Write, key: str) -> None:
    shortest, longest = map(parse, RANGES[key].removeprefix("duration, ").split(" to "))
    for seconds in (shortest, longest):
        assert value_at(load(write(nested(key, f"{round(seconds * 1000)}ms")), {}), key) == seconds
    for seconds in (shortest - 0.001, longest + 0.001):
        if seconds >= 0:
            with pytest.raises(ConfigError, match="out of range"):
                load(write(nested(key, f"{round(seconds * 1000)}ms")), {})


def test_the_typical_file_in_the_docs_loads(write: Write) -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", DOCS, flags=re.DOTALL)
    assert len(load(write(text), {}).targets) == 2


def test_the_messages_in_the_docs_are_those_of_the_code(write: Write) -> None:
    (expected,) = re.findall(r"```text\n(.*?)```", DOCS, flags=re.DOTALL)
    text = "polling:\n  activ_interval: 5s\n  settle: 5 parsecs\ntargets:\n- {role_arn: x, regions: [us-east-1]}\n"
    with pytest.raises(ConfigError) as caught:
        load(write(text), {})
    assert str(caught.value) == expected.strip()


def test_the_sdk_knows_every_variable_in_the_docs() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in Path(botocore.__file__).parent.glob("*.py"))
    services = ("SAGEMAKER", "STS", "PRICING", "SERVICE_QUOTAS", "CLOUDWATCH")
    composed = {f"AWS_ENDPOINT_URL_{service}" for service in services}
    named = set(re.findall(r"AWS_[A-Z_0-9]+", DOCS)) - composed
    assert len(named) > 10
    assert {name for name in named if not re.search(rf"['\"]{name}['\"]", sources)} == set()


@pytest.mark.parametrize(
    ("variables", "region"),
    [
        ({}, "eu-west-3"),
        ({"AWS_REGION": "us-west-1"}, "us-west-1"),
        ({"AWS_REGION": "us-west-1", "AWS_DEFAULT_REGION": "us-west-2"}, "us-west-2"),
    ],
)
def test_the_region_comes_from_where_the_docs_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], region: str
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "profiles").write_text("[default]\nregion = eu-west-3\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "profiles"))
    assert Sessions(timeout=1, connections=1).default_region() == region
    assert "`AWS_DEFAULT_REGION`, else `AWS_REGION`" in DOCS


def test_the_docs_have_every_command_and_flag() -> None:
    flags = set(re.findall(r"^\| `(--[a-z.-]+)", DOCS, flags=re.MULTILINE))
    assert flags == {option for action in parser()._actions for option in action.option_strings} - {"-h", "--help"}
    commands = set(re.findall(r"^\| `sagemaker-exporter ([a-z-]+)", DOCS, flags=re.MULTILINE))
    (choices,) = [action.choices for action in parser()._actions if action.dest == "command"]
    assert commands == set(choices or ())
