"""Delay the bills of a schedule: by minutes or hours, around the day after which they are given up, or for ever."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import replace

from exporter.simulator.life import Billing, Life, Rule
from exporter.simulator.truth import PATIENCE

_HOUR = 3600.0
_SOON = 60.0


def delayed(life: Life, chance: random.Random, likely: float) -> Life:
    """Return the life, in some cases with a late bill or rule.

    A bill that comes after that day changes LastModifiedTime too; otherwise no exporter would find it.
    """
    if chance.random() < likely and life.groups and life.billable_ratio is not None:
        hours = _HOUR * chance.choice((0.1, 1.0, 23.0)) * chance.random()
        first = Billing(_SOON + hours, chance.uniform(0.5, 1.0), chance.random() < 0.5)
        # After a restart, the first reading of a corrected bill cannot show that it changed.
        corrected = Billing(first.after + chance.uniform(0.0, 2 * _HOUR), 1.0, moves=True)
        life = chance.choice(
            (
                replace(life, billing=(replace(first, share=1.0),)),
                replace(life, billing=(first, corrected)),
                replace(life, billing=(Billing(PATIENCE - chance.choice((0.0, 1.0, 20.0, 600.0))),)),
                replace(life, billing=(Billing(PATIENCE + chance.uniform(0.0, 6 * _HOUR), moves=True),)),
                replace(life, billable_ratio=None),
            )
        )
    if chance.random() < likely / 2:
        late = Rule("debugger", "Overfit", "Stopped", after=10 ** chance.uniform(1, 4.5), meanwhile="Stopping")
        life = replace(life, rules=(*life.rules, late))
    return life


def so_far(life: Life, now: float) -> Life:
    """Return the life of a job that is deleted now, without the bills that have not come yet."""
    return replace(life, billing=tuple(step for step in life.billing if round(life.end + step.after, 3) <= now))


def has_corrections(lives: Iterable[Life], now: float) -> bool:
    """Return whether a bill that has come will be corrected. A job that was settled with it is found again only by a
    listing, so no correction may come while the exporter is down for longer than it looks back."""
    return any(len(life.billing) > 1 and life.end <= now < life.end + life.billing[-1].after for life in lives)


def moments(lives: Iterable[Life], now: float) -> Iterator[float]:
    """Yield the times, from now on, at which late bills come or are given up."""
    for life in lives:
        late = [step.after for step in life.billing if step.after > _SOON] if life.billable_ratio is not None else []
        waits = life.billable_ratio is None and bool(life.groups)
        for after in (*late, *([PATIENCE] if waits or late else [])):
            if now < life.end + after < life.gone:
                yield life.end + after
