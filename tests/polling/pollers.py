"""Run a poller on the simulated SageMaker, in virtual time."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any

from exporter.ledger.ledger import Ledger
from exporter.polling.api import Calls
from exporter.polling.assembly import assemble
from exporter.polling.health import Health
from exporter.polling.poller import Poller
from exporter.polling.recording import Display
from exporter.polling.settings import PollerSettings
from tests.displays import Nowhere
from tests.sagemaker import Region, api
from tests.virtual_time import background

# In seconds, by default.
INTERVAL, DISCOVERY, SETTLE = 30.0, 60.0, 120.0


def poller(
    region: Region, ledger: Ledger, *, rps: float = 1000.0, display: Display | None = None, **settings: Any
) -> Poller:
    """Return a poller with these `PollerSettings` and `rps` requests per second for each operation."""
    clock, calls = region.clock, Calls()
    polling = PollerSettings(**{"workers": 20, **settings})
    health = Health("/".join(region.target), calls, clock.time)
    sagemaker = api(region, calls, clock, rps)
    return assemble(region.target, sagemaker, polling, ledger, display or Nowhere(), health, clock)


def polling(one: Poller) -> AbstractAsyncContextManager[None]:
    """Poll in the background while the block runs."""
    return background(one.run())
