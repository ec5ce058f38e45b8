"""Collects the data of the pages from the application.

Takes a while with many jobs, so it runs in another thread, on copies of the collections that the loop modifies.
"""

from __future__ import annotations

from collections import Counter

from exporter import __version__
from exporter.app import App
from exporter.cloudwatch.readings import JobReading
from exporter.config import Config
from exporter.ledger.store import Target
from exporter.polling.tracker import TrackedJob
from exporter.web import page
from exporter.web.page import money
from exporter.wiring.runner import TargetRunner

# The tag that names the owner of a job if several are allowed and none groups the totals.
_OWNER = "team"


def status(app: App, now: float) -> page.Status:
    """Return the data of the status page at `now` (Unix seconds)."""
    sharding, web = app.config.sharding, app.config.web
    polled = [runner.poller for runner in app.runners if runner.poller]
    return page.Status(
        version=__version__,
        started=app.started,
        now=now,
        ready=not app.waiting(),
        targets=tuple(_target(app, runner) for runner in app.runners),
        jobs=[_shown(app, runner.name, job) for runner in app.runners for job in _tracked(runner) if job.job.status],
        strategy=app.config.polling.strategy,
        shard=f"{sharding.index} of {sharding.total}" if sharding.total > 1 else "",
        state=_state(app),
        config_loaded=app.loaded,
        config_ok=app.reload_ok,
        telemetry_path=web.telemetry_path,
        root=_root(app.config),
        owner_tag=_owner_tag(app.config),
        measures_gpus="gpu" in app.watching.kinds,
        cut_off=not app.leases.replicas and not app.waiting(),
        failed_within=min((poller.failures.span for poller in polled), default=page.DAY),
    )


def job_status(app: App, now: float, account: str, region: str, name: str) -> page.JobStatus:
    """Return the data of the page of a job at `now` (Unix seconds)."""
    runners = [runner for runner in app.runners if runner.name == (account, region) and runner.poller]
    tracked = runners[0].poller.tracker.get(name) if runners and runners[0].poller else None
    return page.JobStatus(
        version=__version__,
        now=now,
        account=account,
        region=region,
        name=name,
        found=_shown(app, (account, region), tracked) if tracked and tracked.job.status else None,
        root=_root(app.config),
        elsewhere=any(runner.name == (account, region) and not runner.expected for runner in app.runners),
    )


def _root(config: Config) -> str:
    return "" if config.web.external_path is None else f"{config.web.external_path}/"


def _owner_tag(config: Config) -> str:
    """Return the key of the tag that names the owner of a job: the first that groups the totals, or an allowed one."""
    tags = config.jobs.tags
    named = [tag for tag in tags if tag != "*"]
    if config.totals.by_tags:
        return config.totals.by_tags[0]
    return _OWNER if _OWNER in tags or "*" in tags else next(iter(named), "")


def _state(app: App) -> page.StateRow | None:
    state, ledger = app.config.state, app.ledger
    if not (state.path or state.url):
        return None
    return page.StateRow(ledger.last_write, ledger.write_errors, shared=bool(state.url))


def _target(app: App, runner: TargetRunner) -> page.TargetRow:
    if not runner.expected:
        return page.TargetRow(*runner.name, elsewhere=True)
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
        failed=Counter(each.category or "" for each in poller.failures.lately()) if poller else {},
        quotas=app.quotas.display.shown(runner.name),
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


def _shown(app: App, target: Target, tracked: TrackedJob) -> page.ShownJob:
    job, rates = tracked.job, app.display.rates(tracked.job)
    reading = _reading(app, target, tracked)
    if reading is None:
        return page.ShownJob(job, tracked.settled_at is not None, rates)
    return page.ShownJob(job, tracked.settled_at is not None, rates, reading.utilization, reading.algorithm)


def _reading(app: App, target: Target, tracked: TrackedJob) -> JobReading | None:
    """Return what CloudWatch said of a job that runs."""
    readings = app.watching.readings.get(target)
    reading = readings.jobs.get(tracked.job.name) if readings and not tracked.job.terminal else None
    return reading if reading and reading.created == tracked.job.created else None
