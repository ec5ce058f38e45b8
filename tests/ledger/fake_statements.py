"""Define what each statement of `exporter.ledger.postgres` does on the imitated server."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from exporter.ledger import postgres, postgres_tables, session
from exporter.training.job import SAME_JOB_MS

if TYPE_CHECKING:
    from tests.ledger.fake_postgres import Session

Row = tuple[Any, ...]
Statement = Callable[["Session", Any], Sequence[Row]]


def _nothing(_: Session, __: Any) -> Sequence[Row]:
    return ()


def _begin(session: Session, _: Any) -> Sequence[Row]:
    session.staged, session.failed = [], False
    session.wrote.clear()
    return [(session.process, session.server.data.version)]


def _create(session: Session, parameters: Any) -> Sequence[Row]:
    data = session.server.data
    data.version, data.first_start = parameters["version"], parameters["now"]
    return ()


def _locks(session: Session, _: Any) -> Sequence[Row]:
    return [(key, holder is session) for key, (holder, _) in session.server.locks.items()]


def _claimed(session: Session, target: Any) -> Sequence[Row]:
    found = session.server.data.holders.get(tuple(target))
    return [(found,)] if found else []


def _claim(session: Session, parameters: Any) -> Sequence[Row]:
    *target, me = parameters
    holders = session.server.data.holders
    session.change(lambda: holders.update({tuple(target): me}))
    return ()


def _release(session: Session, parameters: Any) -> Sequence[Row]:
    *target, me = parameters
    holders = session.server.data.holders
    if holders.get(tuple(target)) == me:
        session.change(lambda: holders.pop(tuple(target), None))
    return ()


def _of_targets(rows: Mapping[Row, Row], parameters: Any) -> Sequence[Row]:
    wanted = set(zip(*parameters, strict=True))
    return [(*key, *row) for key, row in rows.items() if key[:2] in wanted]


def _find(session: Session, parameters: Any) -> Sequence[Row]:
    found = []
    jobs = session.server.data.jobs
    for number, (*named, created_ms) in enumerate(zip(*parameters[:4], strict=True), 1):
        near = [key for key in jobs if list(key[:3]) == named and abs(key[3] - created_ms) <= SAME_JOB_MS]
        if near:
            key = min(near, key=lambda key: (abs(key[3] - created_ms), key[3]))
            settled, facts, _ = jobs[key]
            found.append((number, key[3], facts, settled))
    return found


def _jobs_of(session: Session, target: Any, which: Callable[[Row], bool]) -> Sequence[Row]:
    jobs = session.server.data.jobs
    return [key for key, row in jobs.items() if key[:2] == tuple(target) and which(row)]


def _delete(session: Session, parameters: Any) -> Sequence[Row]:
    account, region, settled_before_ms, any_before_ms = parameters
    jobs = session.server.data.jobs
    gone = [
        key
        for key, (settled, _, unpriced) in jobs.items()
        if key[:2] == (account, region)
        and ((key[3] < settled_before_ms and settled and not unpriced) or key[3] < any_before_ms)
    ]
    session.wrote.add((account, region))
    session.change(lambda: [jobs.pop(key, None) for key in gone])
    return [(max((key[3] for key in gone), default=None),)]


def _write(rows: Callable[[Session], dict[Any, Any]], keys: int) -> Statement:
    """Return a statement that inserts or replaces rows, whose first columns are the key."""

    def write(session: Session, parameters: Any) -> Sequence[Row]:
        written = {row[:keys]: row[keys:] for row in zip(*parameters, strict=True)}
        session.wrote.update((row[0], row[1]) for row in written)
        session.change(lambda: rows(session).update(written))
        return ()

    return write


STATEMENTS: Mapping[str, Statement] = {
    session._SETTINGS: _nothing,
    "SELECT pg_is_in_recovery()": lambda *_: [(False,)],
    "BEGIN": _begin,
    "SELECT pg_advisory_xact_lock(%s)": _nothing,
    "SELECT to_regclass('sagemaker_exporter.meta') IS NOT NULL": lambda s, _: [(s.server.data.version > 0,)],
    "SELECT version FROM meta": lambda s, _: [(s.server.data.version,)],
    "SELECT count(*) FROM pg_namespace WHERE nspname = 'sagemaker_exporter'": lambda *_: [(0,)],
    "CREATE SCHEMA sagemaker_exporter": _nothing,
    **{text: _nothing for text in session.SCHEMA.script.split(";") if "CREATE" in text},
    session.SCHEMA.script.split(";")[-1]: _create,
    "UPDATE meta SET version = %s": _nothing,
    "SELECT first_start FROM meta": lambda s, _: [(s.server.data.first_start,)],
    postgres._LOCKS: _locks,
    postgres._CLAIMED: _claimed,
    postgres._CLAIM: _claim,
    postgres._RELEASE: _release,
    "SELECT pg_try_advisory_lock(%s)": lambda s, p: [(s.lock(*p),)],
    "SELECT pg_try_advisory_lock_shared(%s)": lambda *_: [(True,)],
    "SELECT pg_advisory_unlock(%s)": lambda s, p: [(s.unlock(*p),)],
    "BEGIN; SELECT pg_backend_pid(), version FROM meta": _begin,
    postgres_tables._SERIES: lambda s, p: _of_targets(s.server.data.series, p),
    postgres_tables._MARKS: lambda s, p: _of_targets(s.server.data.marks, p),
    postgres_tables._FIND: _find,
    postgres_tables._OPEN_JOBS: lambda s, p: _jobs_of(s, p, lambda row: not row[0]),
    postgres_tables._UNPRICED_JOBS: lambda s, p: _jobs_of(s, p, lambda row: row[2]),
    "SELECT region, copy FROM price_list": lambda s, _: list(s.server.data.prices.items()),
    postgres_tables._WRITE_JOBS: _write(lambda s: s.server.data.jobs, 4),
    postgres_tables._WRITE_SERIES: _write(lambda s: s.server.data.series, 4),
    postgres_tables._WRITE_MARKS: _write(lambda s: s.server.data.marks, 2),
    postgres_tables._WRITE_PRICES: _nothing,
    postgres_tables._DELETE_JOBS: _delete,
}
