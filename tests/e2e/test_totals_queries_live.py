"""The queries of docs/queries.md and docs/totals.md on a Prometheus whose exporter is killed and restarted."""

from __future__ import annotations

import asyncio
import math
import os
import random
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
import yaml

from exporter.simulator import Life, ScaledClock, Simulator, total
from exporter.simulator.casting import Casting
from exporter.simulator.life import Billing
from exporter.simulator.shapes import SHAPES
from tests.conftest import PrometheusFactory
from tests.deploy.test_rules_live import copy_rules
from tests.e2e import query_answers as short
from tests.e2e.exposed import Exposed
from tests.e2e.totals_answers import ANSWERS, Case, asked, nonzero, queries, saved_by_spot, vector
from tests.e2e.totals_history import PRICES, near_their_limits, of_team
from tests.polling.simulated import due
from tests.prometheus import Prometheus, scraping
from tests.sagemaker import TARGET

SETTINGS = {
    "polling": {
        "discovery_interval": "1s",
        "active_interval": "1s",
        "settle": "1s",
        "list_rps": 100,
        "describe_rps": 500,
    },
    "targets": [{"regions": [TARGET[1]]}],
    "totals": {"backfill": "1d", "by_tags": ["team"]},
}
KINDS = (
    "on_demand",
    "spot",
    "heterogeneous",
    "stopped",
    "pool_expired",
    "capacity_error",
    "algorithm_error",
    "client_error",
)
SHORT = "docs/queries.md"
# Of the others this short life has nothing to show at its end, or no bucket that is fine enough.
ASKED_LIVE = ("Spend by team", "Spend by instance type and usage", "Saved by spot", "Hours without a price")
# Jobs of an hour take a second.
PACE = 1 / 3000


def jobs(created: float, seed: int) -> Iterator[Life]:
    """Return jobs that end within two seconds. Events that are late in reality come at once, to keep the test short."""
    rng = random.Random(seed)
    for serial in range(40):
        cast = Casting(rng, created + rng.uniform(0, 2), *TARGET, pace=PACE, serial=serial)
        for life in SHAPES[KINDS[serial % len(KINDS)]](cast):
            pool = life.pool and replace(life.pool, appears_after=0.0)
            prompt = replace(life, billing=(Billing(),), pool=pool, settles_after=0.1)
            yield of_team(prompt, ("vision", "language", "")[serial % 3])


@asynccontextmanager
async def exporting(config: Path, simulator: Simulator, address: str) -> AsyncIterator[str]:
    """Run an exporter, yield its address, and kill it with -9."""
    environ = {
        **os.environ,
        "AWS_ENDPOINT_URL_SAGEMAKER": simulator.url,
        "AWS_ENDPOINT_URL_STS": simulator.url,
        "AWS_ENDPOINT_URL_PRICING": simulator.url,
        "AWS_ENDPOINT_URL_SERVICE_QUOTAS": simulator.url,
        "AWS_ACCESS_KEY_ID": simulator.access_key(),
    }
    command = (sys.executable, "-m", "exporter", "--config.file", str(config), "--web.listen-address", address)
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, env=environ)
    try:
        assert process.stdout
        said = (await process.stdout.readline()).decode()
        yield said.partition("http://")[2].partition("/")[0]
    finally:
        process.kill()
        await process.wait()


async def counted(address: str, simulator: Simulator) -> bool:
    """Return whether every job that ends has ended, and is in the totals."""
    async with aiohttp.ClientSession() as session, session.get(f"http://{address}/metrics") as response:
        shown = Exposed(await response.text())
    lives, now = simulator.store.lives(), simulator.clock.time()
    wanted = {family: sum(values.values()) for family, values in due(total(lives, now)).items()}
    found = {family: sum(value for _, value in shown.rows(f"sagemaker_training_{family}_total")) for family in wanted}
    # Savings come last, when a job is settled.
    saved = sum(value for _, value in shown.rows("sagemaker_training_spot_saved_cost_total"))
    due_saved = sum(saved_by_spot(Case(lives, 0.0, now, PRICES)).values())
    over_now = all(over(life) <= now for life in lives if life.ending)
    return found == wanted and over_now and saved == pytest.approx(due_saved, abs=1e-6)


def over(life: Life) -> float:
    return life.end + (life.pool.released_after if life.pool else 0.0)


async def quiet(server: Prometheus, address: str, simulator: Simulator) -> float:
    """Wait until Prometheus has all changes, and return a whole second after the last one."""
    await server.wait_until(lambda: counted(address, simulator), 60)
    moment = math.ceil(time.time())
    scraped = f"timestamp(sagemaker_exporter_build_info) > {moment}"
    await server.wait_until(lambda: server.query(scraped))
    # The first scrape of all may come later than the exporter is done. A rule records a new series twice until it has
    # its value, and those that are made of it come after that.
    moment = math.ceil(max(sample.value for sample in await server.query(scraped)))
    recorded = f"timestamp(team:sagemaker_training_cost:month_to_date) > {moment + 2}"
    await server.wait_until(lambda: server.query(recorded))
    return float(math.ceil(max(sample.value for sample in await server.query(recorded))))


def price_table() -> str:
    """As a user's file has it."""
    table: dict[str, dict[str, float]] = {}
    for (kind, usage), dollars in PRICES.items():
        table.setdefault(kind, {})[usage] = dollars
    return yaml.safe_dump({"currency": "USD", "regions": {TARGET[1]: table}})


async def month_to_date(server: Prometheus, when: float) -> dict[tuple[str, ...], float]:
    return vector(await server.query(queries(SHORT)[short.MONTH_TO_DATE], when))


@pytest.mark.long
async def test_every_query_answers_what_the_schedule_says_over_a_kill(
    prometheus: PrometheusFactory, tmp_path: Path
) -> None:
    config = tmp_path / "config.yaml"
    prices = {"source": "file", "file": str(tmp_path / "prices.yaml")}
    places = {"state": {"path": str(tmp_path / "state.db")}, "prices": prices}
    config.write_text(yaml.safe_dump({**SETTINGS, **places}))
    (tmp_path / "prices.yaml").write_text(price_table())
    copy_rules(tmp_path)
    async with AsyncExitStack() as stack:
        simulator = await stack.enter_async_context(Simulator(clock=ScaledClock()))
        now = simulator.clock.time()
        simulator.store.add(*TARGET, *near_their_limits(now), *jobs(now, 1))
        life = await stack.enter_async_context(AsyncExitStack())
        address = await life.enter_async_context(exporting(config, simulator, "127.0.0.1:0"))
        scrape = scraping(address, extra="rule_files: ['*.rules.yml']")
        server = await stack.enter_async_context(prometheus(scrape))
        start = await quiet(server, address, simulator)
        simulator.store.add(*TARGET, *jobs(start + 1, 2))
        # Some have ended by then, some run, some are yet to come.
        await asyncio.sleep(start + 2.5 - time.time())
        await life.aclose()
        await asyncio.sleep(1)
        await stack.enter_async_context(exporting(config, simulator, address))
        end = await quiet(server, address, simulator)
        case = Case(simulator.store.lives(), start, end, PRICES)
        for title, query in queries().items():
            due_now, got = nonzero(ANSWERS[title](case)), vector(await server.query(asked(query, end - start), end))
            assert due_now, f"{title}: there is nothing to see"
            # What this month is depends on the day; weeks of history answer that.
            if title != "This month, without Grafana":
                assert got == pytest.approx(due_now, rel=1e-6, abs=1e-6), title
        for title in ASKED_LIVE:
            due_now = nonzero(short.ANSWERS[title](case))
            got = vector(await server.query(asked(queries(SHORT)[title], end - start), end))
            assert due_now, f"{title}: there is nothing to see"
            # increase() stretches what it saw by up to an evaluation at each end of some seconds.
            assert got == pytest.approx(due_now, rel=0.2), title
        before, after = await month_to_date(server, start), await month_to_date(server, end)
        gained = {key: value - before.get(key, 0.0) for key, value in after.items()}
        assert nonzero(gained) == pytest.approx(nonzero(short.spend_by_team(case)), abs=1e-6)
