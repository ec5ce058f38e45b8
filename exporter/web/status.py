"""The status page's records, from what the application knows."""

from __future__ import annotations

from exporter import __version__
from exporter.app import App, Watch
from exporter.polling.tracker import Followed
from exporter.web import page


def status(app: App, now: float) -> page.Status:
    """Everything the page shows. With many jobs that takes a while: it may be asked for in another thread, and looks
    at copies of what changes meanwhile."""
    sharding, ledger, web = app.config.sharding, app.ledger, app.config.web
    return page.Status(
        version=__version__,
        started=app.started,
        now=now,
        ready=not app.waiting(),
        targets=tuple(_target(watch) for watch in app.watches),
        jobs=[_tracked(f) for watch in app.watches for f in _followed(watch) if f.job.status],
        strategy=app.config.polling.strategy,
        shard=f"{sharding.index} of {sharding.total}" if sharding.total > 1 else "",
        state=page.StateRow("file", ledger.last_write, ledger.write_errors) if app.config.state.path else None,
        config_loaded=app.loaded,
        config_ok=app.reload_ok,
        telemetry_path=web.telemetry_path,
        root="" if web.external_path is None else f"{web.external_path}/",
    )


def _target(watch: Watch) -> page.TargetRow:
    health, poller = watch.health, watch.poller
    jobs = [f.job for f in _followed(watch)]
    return page.TargetRow(
        account_id=watch.name[0],
        region=watch.name[1],
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
    )


def _followed(watch: Watch) -> list[Followed]:
    return list(watch.poller.fleet.followed()) if watch.poller else []


def _tracked(followed: Followed) -> page.TrackedJob:
    return page.TrackedJob(followed.job, followed.settled_at is not None)
