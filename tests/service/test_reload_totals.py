"""Test that no total goes down when a reload switches to the new application."""

from __future__ import annotations

import math

from exporter.app import App
from exporter.ledger.ledger import Ledger
from exporter.ledger.opening import open_ledger
from exporter.training.active import UNKNOWN
from tests.ledger.books import START, TARGET, job, readings
from tests.service.regions import config, total
from tests.virtual_time import LoopClock, run


async def _created(app: App) -> float:
    text = b"".join([piece async for piece in app.board.metrics(openmetrics=False, gzip=False)]).decode()
    return total(text, "sagemaker_training_jobs_created_total")


def _app(ledger: Ledger, earlier: App | None = None) -> App:
    app = App(config(TARGET[1]), LoopClock(), ledger, earlier)
    app.runners[0].name = TARGET
    return app


def _show(app: App) -> None:
    app.display.target(TARGET, UNKNOWN, app.runners[0].health, 0)


def test_the_new_application_shows_what_the_earlier_one_counted_last() -> None:
    async def scenario() -> None:
        async with open_ledger("", lambda: START) as ledger:
            old = _app(ledger)
            await ledger.apply(readings(job("first")))
            new = _app(ledger, old)
            _show(new)
            # The poller of the earlier application reads a job between two reports of the new one.
            await ledger.apply(readings(job("second")))
            _show(old)
            assert (await _created(old), await _created(new)) == (2, 1)
            new.take_over()
            assert await _created(new) == 2

    run(scenario())


def test_a_target_that_was_not_reached_is_not_shown_by_the_switch() -> None:
    async def scenario() -> None:
        async with open_ledger("", lambda: START) as ledger:
            await ledger.apply(readings(job()))
            app = _app(ledger)
            app.take_over()
            assert math.isnan(await _created(app))

    run(scenario())
