"""Loads the configuration from a file, flags and the environment, and validates it as a whole."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from fnmatch import fnmatchcase
from types import MappingProxyType

from pydantic import ValidationError

from exporter.config import located, refusals, syntax
from exporter.config.address import Address
from exporter.config.file import read
from exporter.config.problems import ConfigError, Path, Place, Problem, quote
from exporter.config.refusals import Source
from exporter.config.settings import Config, Jobs, Polling, Sharding, State, TargetConfig, Totals, Web
from exporter.config.sources import Adjustment, CloudWatch, Prices
from exporter.config.suggestions import did_you_mean
from exporter.config.syntax import WRITTEN, account_of

__all__ = [
    "Address",
    "Adjustment",
    "CloudWatch",
    "Config",
    "ConfigError",
    "Jobs",
    "Place",
    "Polling",
    "Prices",
    "Problem",
    "Sharding",
    "State",
    "TargetConfig",
    "Totals",
    "Web",
    "load",
]

_NOTHING: Mapping[str, str | list[str]] = MappingProxyType({})
_NO_DEFAULTS: Mapping[str, object] = MappingProxyType({})
_ORDINAL = re.compile(r".*-([0-9]{1,9})", re.DOTALL)


def _ignore(_: Problem) -> None: ...


def load(
    path: str | None,
    environ: Mapping[str, str],
    *,
    overrides: Mapping[str, str | list[str]] = _NOTHING,
    defaults: Mapping[str, object] = _NO_DEFAULTS,
    known_metrics: Collection[str] | None = None,
    known_regions: Collection[str] = (),
    warn: Callable[[Problem], None] = _ignore,
) -> Config:
    """Return the configuration in the file at `path`, or the default one if `path` is None.

    `overrides` maps key paths ("web.listen_address") to values of flags, a list for a flag that was given several
    times; they override the file. `defaults` is structured like a file and replaces the built-in defaults. Only
    POD_NAME and HOSTNAME are read from `environ`, for the index of a shard. With `known_metrics`, the names of all
    families, globs in `jobs.disabled_metrics` that match none of them are errors. `warn` is called for likely mistakes:
    regions that are not in `known_regions`, unless that is empty. Raises ConfigError with all problems at once.
    """
    file = path or ""
    document, problems = located.parse(read(path), file) if path is not None else (located.Document(), [])
    source = Source(file, document, tuple(overrides))
    for problem in _unknown_regions(document.value, source, known_regions):
        warn(problem)
    data = _overridden(_completed(document.value, defaults), overrides)

    # These checks run before the settings are validated, so that all problems are reported together.
    problems += _duplicate_targets(data, source)
    problems += _unknown_metrics(data, source, known_metrics)
    problems += _missing_state_directory(data, source)
    problems += _shards_of_replicas(data, source)
    data, shard_problems = _with_shard_index(data, environ, source)
    problems += shard_problems
    try:
        config = Config.model_validate(data, context=WRITTEN)
    except ValidationError as error:
        problems += refusals.problems(error, source)
        raise ConfigError(problems) from None
    if problems:
        raise ConfigError(problems)
    return config


def _completed(data: object, defaults: Mapping[str, object]) -> object:
    """Return a copy with missing sections and keys from `defaults`; data of a wrong type is returned as it is."""
    if not isinstance(data, dict | None):
        return data
    whole = {**defaults, **(data or {})}
    for section, values in defaults.items():
        written = whole[section]
        if isinstance(values, dict) and isinstance(written, dict | None):
            whole[section] = {**values, **(written or {})}
    return whole


def _overridden(data: object, overrides: Mapping[str, str | list[str]]) -> object:
    for path, value in overrides.items():
        section, key = path.split(".")
        data = _replaced(data, section, key, value)
    return data


def _replaced(data: object, section: str, key: str, value: object) -> object:
    """Return a copy with one key set; data of a wrong type is returned as it is, and rejected later."""
    top = {} if data is None else data
    inner = {} if _at(top, section) is None else _at(top, section)
    if not isinstance(top, dict) or not isinstance(inner, dict):
        return data
    return {**top, section: {**inner, key: value}}


def _at(data: object, *path: str) -> object:
    """Return the value at a path, or None: the data is not validated yet and may have any type."""
    for part in path:
        data = data.get(part) if isinstance(data, dict) else None
    return data


def _items(data: object) -> Iterator[tuple[int, object]]:
    return enumerate(data if isinstance(data, list) else [])


def _duplicate_targets(data: object, source: Source) -> Iterator[Problem]:
    """Yield a problem for each region of an account that is listed twice: its series would be exported twice."""
    seen: dict[tuple[str | None, str], Path] = {}
    for index, target in _items(_at(data, "targets")):
        role = _at(target, "role_arn")
        account = account_of(role) or (role if isinstance(role, str) else None)
        for number, region in _items(_at(target, "regions")):
            if not isinstance(region, str):
                continue
            path = ("targets", index, "regions", number)
            first = seen.setdefault((account, region), path)
            if first[1] == index and first != path:
                yield source.problem(path, f"{quote(region)} is listed twice", "each region once")
            elif first != path:
                message = (
                    f"{quote(region)} of the same account is polled by targets[{first[1]}] already, "
                    f"on line {source.line(first)}"
                )
                yield source.problem(path, message, "each region of an account in one target")


def _unknown_regions(data: object, source: Source, known: Collection[str]) -> Iterator[Problem]:
    for index, target in _items(_at(data, "targets")):
        for number, region in _items(_at(target, "regions")):
            # A text that does not look like a region at all is an error, which the settings report.
            if known and isinstance(region, str) and region not in known and syntax.region.form.fullmatch(region):
                hint = did_you_mean(region, sorted(known))
                message = f"{quote(region)} is not a region that the AWS SDK knows{hint}"
                yield source.problem(("targets", index, "regions", number), message, "")


def _unknown_metrics(data: object, source: Source, known: Collection[str] | None) -> Iterator[Problem]:
    for index, glob in _items(_at(data, "jobs", "disabled_metrics")):
        if known is None or not isinstance(glob, str) or any(fnmatchcase(name, glob) for name in known):
            continue
        yield source.problem(
            ("jobs", "disabled_metrics", index),
            f"{quote(glob)} matches no metric{did_you_mean(glob, sorted(known))}",
            "what `sagemaker-exporter metrics` lists; * and ? stand for any characters",
        )


def _missing_state_directory(data: object, source: Source) -> Iterator[Problem]:
    path = _at(data, "state", "path")
    if not isinstance(path, str) or not path:
        return
    directory = os.path.dirname(path) or "."
    if not _can_be_a_name(path):
        message = f"{quote(path)} cannot be the name of a file in this locale ({sys.getfilesystemencoding()})"
        yield source.problem(("state", "path"), message, "ASCII, or another locale: LC_ALL=C.UTF-8")
    elif not os.path.isdir(directory):
        message = f"the directory {quote(directory)} does not exist"
        yield source.problem(("state", "path"), message, "a file in a directory that exists")
    elif os.path.isdir(path):
        yield source.problem(("state", "path"), f"{quote(path)} is a directory", "the path of a file")


def _shards_of_replicas(data: object, source: Source) -> Iterator[Problem]:
    total = _at(data, "sharding", "total")
    if _at(data, "state", "url") and isinstance(total, int) and total > 1:
        message = "means nothing with state.url: replicas share the targets by themselves"
        yield source.problem(("sharding", "total"), message, "sharding or state.url, not both")


def _can_be_a_name(path: str) -> bool:
    """Return whether the encoding of the locale can represent a path."""
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        return False
    return True


def _with_shard_index(data: object, environ: Mapping[str, str], source: Source) -> tuple[object, list[Problem]]:
    """Return the data with the index of the shard, which defaults to the ordinal of the StatefulSet's pod."""
    total = _at(data, "sharding", "total")
    if _at(data, "sharding", "index") is not None or type(total) is not int or not 1 < total <= 1000:
        return data, []
    pod = environ.get("POD_NAME") or environ.get("HOSTNAME") or ""
    match = _ORDINAL.fullmatch(pod)
    if match is None:
        message = f"no index for this of {total} shards: {quote(pod)} does not end in -NUMBER"
        allowed = "sharding.index, or a StatefulSet whose pod's name is in POD_NAME or HOSTNAME"
        return data, [source.problem(("sharding", "total"), message, allowed)]
    index = int(match[1])
    if index >= total:
        message = f"too few shards for the index {index} of the pod {quote(pod)}"
        return data, [source.problem(("sharding", "total"), message, f"more than {index}")]
    return _replaced(data, "sharding", "index", index), []
