"""Check that a response on the wire conforms to botocore's service model."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import Any

import botocore.session
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StringShape, StructureShape

NOT_NUMBERS = ("NaN", "Infinity", "-Infinity")


@functools.cache
def model(service: str = "sagemaker") -> ServiceModel:
    return botocore.session.get_session().get_service_model(service)


def members(shape_name: str) -> set[str]:
    """Return the members of a structure of the service model."""
    shape = model().shape_for(shape_name)
    assert isinstance(shape, StructureShape)
    return set(shape.members)


def problems(shape_name: str, answer: Any, service: str = "sagemaker") -> list[str]:
    """Return all errors: unknown or missing members, wrong types, unknown enum values, lengths, patterns."""
    return list(_problems(model(service).shape_for(shape_name), answer, shape_name))


def _problems(shape: Shape, value: Any, path: str) -> Iterator[str]:
    match shape:
        case StructureShape():
            yield from _structure(shape, value, path)
        case ListShape():
            yield from _list(shape, value, path)
        case MapShape():
            yield from _map(shape, value, path)
        case StringShape():
            yield from _string(shape, value, path)
        case _ if shape.type_name == "boolean":
            yield from _boolean(value, path)
        case _:
            yield from _number(shape, value, path)


def _structure(shape: StructureShape, value: Any, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{path}: {value!r} is no object"
        return
    yield from (f"{path}: {name} is missing" for name in shape.required_members if name not in value)
    for name, member in value.items():
        if name not in shape.members:
            yield f"{path}: {name} is unknown"
        else:
            yield from _problems(shape.members[name], member, f"{path}.{name}")


def _string(shape: StringShape, value: Any, path: str) -> Iterator[str]:
    if not isinstance(value, str):
        yield f"{path}: {value!r} is no string"
        return
    yield from _bounds(shape, len(value), path)
    if shape.enum and value not in shape.enum:
        yield f"{path}: {value!r} is none of {shape.enum}"
    pattern = shape.metadata.get("pattern")
    if pattern and r"\p{" not in pattern and value and not re.fullmatch(pattern, value, re.DOTALL):
        yield f"{path}: {value!r} does not match {pattern}"


def _number(shape: Shape, value: Any, path: str) -> Iterator[str]:
    whole = shape.type_name in ("integer", "long")
    if shape.type_name == "float" and value in NOT_NUMBERS:
        return
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
        yield f"{path}: {value!r} is no {shape.type_name}"
    else:
        yield from _bounds(shape, value, path)


def _bounds(shape: Shape, size: float, path: str) -> Iterator[str]:
    if not shape.metadata.get("min", size) <= size <= shape.metadata.get("max", size):
        yield f"{path}: {size} is not within {shape.metadata}"


def _list(shape: ListShape, value: Any, path: str) -> Iterator[str]:
    yield from _bounds(shape, len(value), path)
    for index, member in enumerate(value):
        yield from _problems(shape.member, member, f"{path}[{index}]")


def _map(shape: MapShape, value: Any, path: str) -> Iterator[str]:
    yield from _bounds(shape, len(value), path)
    for key, member in value.items():
        yield from _problems(shape.key, key, f"{path} key")
        yield from _problems(shape.value, member, f"{path}.{key}")


def _boolean(value: Any, path: str) -> Iterator[str]:
    if not isinstance(value, bool):
        yield f"{path}: {value!r} is no boolean"
