"""Reads a configuration file again while the exporter runs, and notices when its content changes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from exporter.clock import Clock
from exporter.config import Config, ConfigError
from exporter.config.file import read
from exporter.config.fixed import refuse_changes


@dataclass(slots=True)
class WatchedFile:
    """A configuration file that `load` reads, and that is compared every `interval` seconds; 0 for never.

    The content is compared and not the time of modification: Kubernetes replaces a mounted ConfigMap by switching a
    symbolic link, also when other keys of it change.
    """

    path: str | None
    interval: float
    clock: Clock
    read_config: Callable[[], Config]
    _loaded: bytes = field(default=b"", init=False)
    _running: Config | None = field(default=None, init=False)

    def load(self) -> Config:
        """Return the configuration. Raises ConfigError, also if what cannot change is not as at the first load."""
        # Read before the load, so that a change in between is noticed afterwards.
        self._loaded = self._content()
        config = self.read_config()
        self._running = self._running or config
        refuse_changes(config, self._running, self.path or "", self._loaded)
        return config

    async def follow(self, reload: Callable[[], Awaitable[None]]) -> None:
        """Call `reload`, which calls `load`, whenever the content has changed, until cancelled."""
        while self.path and self.interval:
            await self.clock.sleep(self.interval)
            if self._content() != self._loaded:
                await reload()

    def _content(self) -> bytes:
        """Return the content, or why there is none: a file that stays unreadable is reported once, by its load."""
        try:
            return read(self.path) if self.path else b""
        except ConfigError as error:
            return str(error).encode(errors="replace")
