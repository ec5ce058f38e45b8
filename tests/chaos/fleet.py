"""Run replicas of the exporter as processes, and scrape all of them all the time."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import chain, count
from pathlib import Path

import aiohttp

from exporter.ledger.store import Target
from exporter.simulator import Faults, Simulator
from tests.chaos.exporters import start, totals
from tests.chaos.truth import Samples, all_ended, counted, scheduled
from tests.chaos.watch import Fault, Scrape, Stall, gaps, gone_down, shown_twice, too_long

# All in seconds. A handover without a fault, and how long a target may be missing after one. A process that is
# suspended keeps its targets until the server ends its session.
USUAL, KILLED, SUSPENDED = 8.0, 15.0, 25.0
_INTERVAL, _TICK = 0.5, 0.05
_STARTS, _STOPS, _FINISHES = 90.0, 30.0, 90.0


@dataclass(eq=False)
class Replica:
    """A process that is scraped at `url`. `asked` is when its current scrape could be answered first."""

    name: str
    process: asyncio.subprocess.Process
    url: str
    asked: float = 0.0

    @property
    def alive(self) -> bool:
        return self.process.returncode is None


@dataclass(eq=False)
class Fleet:
    """Replicas with the same configuration, on a simulator. `log` is a folder."""

    config: Path
    simulator: Simulator
    log: Path
    session: aiohttp.ClientSession
    scrapes: list[Scrape] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    replicas: list[Replica] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=count)
    _watching: set[asyncio.Task[None]] = field(default_factory=set)
    _ended: float = 0.0
    _stalls: list[Stall] = field(default_factory=list)

    @property
    def targets(self) -> list[Target]:
        return [(account, region) for account in self.simulator.accounts for region in self.simulator.regions]

    @property
    def alive(self) -> list[Replica]:
        return [replica for replica in self.replicas if replica.alive]

    async def start(self) -> Replica:
        name = f"replica {next(self._numbers)}"
        with (self.log / f"{name}.log").open("wb") as log:
            process, url = await asyncio.wait_for(start(self.config, self.simulator, log), _STARTS)
        replica = Replica(name, process, url)
        self.replicas.append(replica)
        self._watching.add(asyncio.create_task(self._watch(replica)))
        return replica

    def fault(self, what: str, limit: float) -> None:
        """Note what is done now, and how long a target may be missing afterwards."""
        self.faults.append(Fault(time.monotonic(), what, limit))

    async def kill(self, replica: Replica) -> None:
        self.fault(f"kill of {replica.name}", KILLED)
        replica.process.kill()
        await replica.process.wait()

    async def suspend(self, replica: Replica, seconds: float) -> None:
        self.fault(f"{replica.name} suspended for {seconds:.1f} s", SUSPENDED)
        replica.process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(seconds)
        # What is asked now is answered after the process continues.
        replica.asked = time.monotonic()
        replica.process.send_signal(signal.SIGCONT)

    async def terminate(self, replica: Replica, within: float = _STOPS) -> None:
        """Stop a replica as Kubernetes does: it hands its targets over at once."""
        replica.process.terminate()
        assert await asyncio.wait_for(replica.process.wait(), within) == 0, f"{replica.name} in {self.log}"

    async def all_shown(self, within: float = _STARTS) -> None:
        """Wait until each target is shown again after now; `verify` checks how long that took."""
        since = time.monotonic()
        while missing := set(self.targets) - self._shown(since):
            assert time.monotonic() - since < within, f"{missing} not shown after {within} s: {self.log}"
            await asyncio.sleep(_INTERVAL / 2)

    async def spread(self, each: int, within: float) -> None:
        """Wait until every live replica shows at most `each` targets, and together they show all."""
        until = time.monotonic() + within
        while not _is_spread(last := self._last(), self.targets, each):
            assert time.monotonic() < until, f"the targets are not spread after {within} s: {last}"
            await asyncio.sleep(_INTERVAL / 2)

    async def finish(self) -> None:
        """Wait until all jobs have ended and the totals are the schedule's, and stop the replicas."""
        self.simulator.faults = Faults()
        until = time.monotonic() + _FINISHES
        while wrong := list(chain.from_iterable(self._differences(region) for _, region in self.targets)):
            assert time.monotonic() < until, f"totals differ from the schedule: {wrong[:10]}; {self.log}"
            await asyncio.sleep(_INTERVAL)
        self._ended = time.monotonic()
        await asyncio.gather(*map(self.terminate, self.alive))

    def verify(self) -> None:
        """Check everything that was scraped."""
        missing = gaps(self.scrapes, self.targets, self._ended)
        wrong = [
            *shown_twice(self.scrapes),
            *gone_down(self.scrapes),
            *too_long(missing, self.faults, USUAL, self._stalls),
        ]
        assert not wrong, "\n".join([*wrong[:20], str(self.log)])

    def _totals(self) -> dict[Target, Samples]:
        """Return the newest totals of each target."""
        return {target: samples for scrape in self.scrapes for target, samples in scrape.totals.items()}

    def _differences(self, region: str) -> list[str]:
        """Return where the totals of a region are not those of the schedule, or that its jobs have not ended."""
        account, now = self.simulator.accounts[0], self.simulator.clock.time()
        lives = self.simulator.store.jobs(account, region).all()
        if not all_ended(lives, now):
            return [f"{region}: jobs have not ended"]
        shown = counted(self._totals().get((account, region), {}))
        wanted = scheduled(lives, region, now, self.simulator.prices)
        return [
            f"{region} {key}: {shown.get(key)}, not {wanted.get(key)}"
            for key in shown.keys() | wanted.keys()
            if shown.get(key) != wanted.get(key)
        ]

    def _shown(self, since: float) -> set[Target]:
        return {target for scrape in self.scrapes if scrape.began > since for target in scrape.totals}

    def _last(self) -> dict[str, list[Target]]:
        """Return the targets that each live replica showed last."""
        names = {replica.name for replica in self.alive}
        return {scrape.replica: list(scrape.totals) for scrape in self.scrapes if scrape.replica in names}

    async def _watch(self, replica: Replica) -> None:
        while replica.alive:
            replica.asked = time.monotonic()
            try:
                async with self.session.get(replica.url) as response:
                    text = await response.text()
            except (aiohttp.ClientError, TimeoutError):
                # It was killed just now, or it stops.
                text = ""
            ended = time.monotonic()
            if text:
                self.scrapes.append(Scrape(replica.name, replica.asked, ended, totals(text)))
            await asyncio.sleep(_INTERVAL)

    async def notice_stalls(self) -> None:
        """Measure how much later than it should a task is continued, until cancelled."""
        while True:
            before = time.monotonic()
            await asyncio.sleep(_TICK)
            self._stalls.append(Stall(before, time.monotonic() - before - _TICK))

    async def close(self) -> None:
        for task in self._watching:
            task.cancel()
        await asyncio.gather(*self._watching, return_exceptions=True)
        for replica in self.alive:
            replica.process.kill()
            await replica.process.wait()


@asynccontextmanager
async def fleet(config: Path, simulator: Simulator, log: Path, replicas: int) -> AsyncIterator[Fleet]:
    """Run replicas during the block, from when they show all targets; then check what was scraped."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
        fleet = Fleet(config, simulator, log, session)
        try:
            fleet._watching.add(asyncio.create_task(fleet.notice_stalls()))
            await asyncio.gather(*(fleet.start() for _ in range(replicas)))
            await fleet.all_shown()
            yield fleet
            await fleet.finish()
            fleet.verify()
        finally:
            await fleet.close()


def _is_spread(shown: Mapping[str, Sequence[Target]], targets: Sequence[Target], each: int) -> bool:
    every = sorted(chain.from_iterable(shown.values()))
    return every == sorted(targets) and max(map(len, shown.values())) <= each
