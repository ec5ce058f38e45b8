"""Draw the settings for a run of the harness, and for each life of its exporter."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from zlib import crc32

from exporter.polling.api import DESCRIBE, SEARCH, TAGS
from exporter.simulator.life import Life
from exporter.simulator.store import Consistency

_GONE = ("ValidationException", "ResourceNotFound")


class KilledError(BaseException):
    """Represent SIGKILL. Nothing in the process may handle it."""


@dataclass(frozen=True, slots=True)
class Setting:
    """Hold what differs between seeds for a whole run."""

    search: bool
    denied: frozenset[str]
    by_tags: tuple[str, ...]
    backfill: float
    consistency: Consistency
    faulty: float
    disk_faulty: float

    @classmethod
    def drawn(cls, chance: random.Random) -> Setting:
        search = chance.random() < 0.5
        return cls(
            search,
            frozenset({SEARCH} if search and chance.random() < 0.2 else ()),
            ("team", "Team") if chance.random() < 0.3 else (),
            chance.choice((0.0, 0.0, 120.0)),
            Consistency(chance.uniform(0, 5), chance.uniform(0, 20), chance.choice(_GONE)),
            chance.choice((0.0, 0.1, 0.2, 0.4)),
            chance.choice((0.0, 0.002, 0.01)),
        )


def respelled(life: Life) -> Life:
    """Return some lives with another spelling of a tag key, which becomes the same label."""
    if len(life.name) % 2 or "team" not in life.tags:
        return life
    return replace(life, tags={"Team" if key == "team" else key: value for key, value in life.tags.items()})


@dataclass(frozen=True, slots=True)
class Oddities:
    """Hold what is odd about the responses of a whole run.

    `denied` names operations that the policy denies for every third job. `jitter` is what Describe adds to a
    CreationTime. The others are the share of responses with a wrong Date, and of pages with a repeated NextToken.
    """

    denied: frozenset[str] = frozenset()
    jitter: float = 0.0
    wrong_dates: float = 0.0
    repeated_tokens: float = 0.0

    @classmethod
    def drawn(cls, seed: int) -> Oddities:
        """Draw from a separate generator, so that everything else in a seed stays the same."""
        chance = random.Random(f"odd {seed}")
        return cls(
            chance.choice((frozenset(), frozenset(), frozenset({DESCRIBE}), frozenset({TAGS}))),
            chance.choice((0.0, 0.0, 0.001, -0.001, 0.4)),
            chance.choice((0.0, 0.0, 0.02, 0.1)),
            chance.choice((0.0, 0.0, 0.05)),
        )

    def denies(self, operation: str, name: str) -> bool:
        return operation in self.denied and crc32(name.encode()) % 3 == 0


@dataclass(slots=True)
class Fate:
    """Define how a life of the exporter ends.

    It is stopped cleanly after some time, or killed a number of busy turns of the loop or moments of the disk later.
    Before that, its machine may be suspended for `asleep` seconds. If all is calm, it ends when the totals are right,
    or runs for the `whole` time.
    """

    at: float
    turns: int | None = None
    moments: int | None = None
    asleep: float = 0.0
    whole: bool = False
    dead: bool = False
    over: bool = False

    @classmethod
    def drawn(cls, now: float, chance: random.Random) -> Fate:
        fate = cls(now + chance.choice((0.0, chance.uniform(0, 60), chance.uniform(60, 400))))
        match chance.randrange(3):
            case 0:
                fate.turns = chance.randint(1, 60)
            case 1:
                fate.moments = chance.randint(1, 60)
        return fate
