"""The status page's records, from what the application knows."""

from __future__ import annotations

from dataclasses import dataclass

from exporter import __version__
from exporter.app import App, Watch
from exporter.polling.tracker import Followed
from exporter.training.job import WITHOUT_INSTANCES, TrainingJob, Transition
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
        jobs=[_Job(f, now) for watch in app.watches for f in _followed(watch) if f.job.status],
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


@dataclass(frozen=True, slots=True)
class _Job:
    """A followed job (page.Job): a row is made only of those that the page shows."""

    followed: Followed
    now: float

    @property
    def account_id(self) -> str:
        return self.followed.job.account

    @property
    def region(self) -> str:
        return self.followed.job.region

    @property
    def name(self) -> str:
        return self.followed.job.name

    @property
    def status(self) -> str:
        return self.followed.job.status or ""

    @property
    def created(self) -> float | None:
        return self.followed.job.created

    def row(self) -> page.JobRow:
        return job_row(self.followed, self.now)


def job_row(followed: Followed, now: float) -> page.JobRow:
    """The page's row of a followed job."""
    job = followed.job
    return page.JobRow(
        account_id=job.account,
        region=job.region,
        name=job.name,
        status=job.status or "",
        secondary_status=job.secondary_status or "",
        created=job.created,
        started=job.started,
        ended=job.ended_at,
        last_modified=job.modified,
        instances=", ".join(f"{i.number} {i.type}" for i in job.instances),
        spot=job.spot,
        phases=tuple((t.status, seconds) for t in job.transitions if (seconds := _lasted(t, now))),
        settled=followed.settled_at is not None,
        deadline=_deadline(job, now),
        failure=job.failure_category or "",
    )


def _lasted(phase: Transition, now: float) -> float | None:
    """How long a phase took, or has taken so far."""
    if phase.end is None and phase.start is not None:
        return max(0.0, now - phase.start)
    return phase.seconds


def _deadline(job: TrainingJob, now: float) -> float | None:
    """When the stopping condition ends a job that still runs: its time on instances, or the time since its creation."""
    if job.terminal:
        return None
    limits = ((_run_since(job, now), job.max_runtime_seconds), (job.created, job.max_wait_seconds))
    return min((start + limit for start, limit in limits if start is not None and limit is not None), default=None)


def _run_since(job: TrainingJob, now: float) -> float | None:
    """When the job would have started, had it run without a break until now: what came before an interruption counts
    too. None while it waits for instances."""
    if job.started is None or job.secondary_status in WITHOUT_INSTANCES:
        return None
    spent = [_lasted(t, now) or 0.0 for t in job.transitions if t.status not in WITHOUT_INSTANCES]
    return now - sum(spent) if spent else job.started
