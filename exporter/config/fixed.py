"""Refuses what cannot change while the exporter runs: where it listens, and where it keeps its totals."""

from __future__ import annotations

from collections.abc import Iterator

from exporter.config import located
from exporter.config.problems import ConfigError, Path
from exporter.config.refusals import Source
from exporter.config.settings import Config

_SECTIONS = ("web", "state")


def refuse_changes(config: Config, running: Config, file: str, content: bytes) -> None:
    """Raise ConfigError with each setting of `config` that the running configuration does not allow to change.

    `content` is what the file had when `config` was read from it.
    """
    if changed := list(_changed(config, running)):
        document, _ = located.parse(content, file)
        message, allowed = "cannot change while the exporter runs", "the value that it runs with, or a restart"
        raise ConfigError(Source(file, document).problem(path, message, allowed) for path in changed)


def _changed(config: Config, running: Config) -> Iterator[Path]:
    for name in _SECTIONS:
        section, before = getattr(config, name), getattr(running, name)
        yield from ((name, key) for key in type(section).model_fields if getattr(section, key) != getattr(before, key))
