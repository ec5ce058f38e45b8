"""Collects the data of the status page from the application."""

from __future__ import annotations

from exporter import __version__
from exporter.app import App
from exporter.ledger.store import Target
from exporter.polling.tracker import TrackedJob
from exporter.web import page
from exporter.web.page import money
from exporter.wiring.runner import TargetRunner


def status(app: App, now: float) -> page.Status:
    """Return the data of the status page at `now` (Unix seconds).

    Takes a while with many jobs, so it runs in another thread, on copies of the collections that the loop modifies.
    """
    sharding, ledger, web = app.config.sharding, app.ledger, app.config.web
    return page.Status(
        version=__version__,
        started=app.started,
        now=now,
        ready=not app.waiting(),
        targets=tuple(_target(app, runner) for runner in app.runners),
        jobs=[_shown(app, job) for runner in app.runners for job in _tracked(runner) if job.job.status],
        strategy=app.config.polling.strategy,
        shard=f"{sharding.index} of {sharding.total}" if sharding.total > 1 else "",
        state=page.StateRow(ledger.last_write, ledger.write_errors) if app.config.state.path else None,
        config_loaded=app.loaded,
        config_ok=app.reload_ok,
        telemetry_path=web.telemetry_path,
        root="" if web.external_path is None else f"{web.external_path}/",
    )


def _target(app: App, runner: TargetRunner) -> page.TargetRow:
    health, poller = runner.health, runner.poller
    jobs = [one.job for one in _tracked(runner)]
    return page.TargetRow(
        account_id=runner.name[0],
        region=runner.name[1],
        up=health.up,
        last_attempt=health.last_attempt,
        last_success=health.last_success,
        poll_seconds=health.poll_seconds,
        jobs_active=sum(not job.terminal for job in jobs),
        jobs_tracked=len(jobs),
        first_sync=health.first_sync or (poller.first_sync.progress if poller else None),
        next_discovery=poller.next_discovery if poller else None,
        errors=tuple(
            page.ErrorRow(operation, code, last.message, last.when, health.calls.errors[operation, code])
            for (operation, code), last in list(health.last_errors.items())
        ),
        sources=_sources(app, runner.name),
        counts=app.display.counts(runner.name),
        spent=money.spent(app.ledger.totals(runner.name)) if app.pricing.rate_of else None,
    )


def _sources(app: App, target: Target) -> dict[str, bool]:
    readings = app.watching.readings.get(target)
    found = {
        "prices": app.pricing.display.is_up(target[1]),
        "quotas": app.quotas.display.is_up(target),
        "cloudwatch": readings.up if readings else None,
    }
    return {source: up for source, up in found.items() if up is not None}


def _tracked(runner: TargetRunner) -> list[TrackedJob]:
    # A copy: the loop adds and drops jobs while this thread iterates.
    return list(runner.poller.tracker.jobs()) if runner.poller else []


def _shown(app: App, tracked: TrackedJob) -> page.ShownJob:
    return page.ShownJob(tracked.job, tracked.settled_at is not None, app.display.rates(tracked.job))
