"""Run a poller on the simulated SageMaker, in virtual time."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from exporter.ledger.ledger import Ledger
from exporter.polling.api import Calls
from exporter.polling.assembly import assemble
from exporter.polling.health import Health
from exporter.polling.poller import Poller
from exporter.polling.recording import Display
from exporter.polling.settings import PollerSettings
from tests.displays import Nowhere
from tests.sagemaker import Region, api
from tests.virtual_time import LoopClock, background

INTERVAL, DISCOVERY, SETTLE = 30.0, 60.0, 120.0


def poller(
    region: Region,
    ledger: Ledger,
    *,
    search: bool = False,
    rps: float = 1000.0,
    lookback: float = 30.0,
    display: Display | None = None,
) -> Poller:
    """Return a poller with `rps` requests per second for each operation, and `lookback` in days."""
    clock, calls = LoopClock(), Calls()
    settings = PollerSettings(
        discovery_interval=DISCOVERY,
        active_interval=INTERVAL,
        settle=SETTLE,
        lookback=lookback * 86400.0,
        search=search,
        workers=20,
    )
    health = Health("/".join(region.target), calls, clock.time)
    return assemble(
        region.target, api(region, calls, clock, rps), settings, ledger, display or Nowhere(), health, clock
    )


def polling(one: Poller) -> AbstractAsyncContextManager[None]:
    """Poll in the background while the block runs."""
    return background(one.run())
