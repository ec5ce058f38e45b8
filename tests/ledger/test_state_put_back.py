"""Test that a deleted state file is restored, also on file systems without hard links, such as CIFS, exFAT and FUSE."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.ledger.ledger import Ledger
from tests.ledger.books import job, ledger, readings, shown


@pytest.fixture(params=[errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EACCES], ids=errno.errorcode.get)
def no_links(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(request.param, os.strerror(request.param))

    monkeypatch.setattr(os, "link", refuse)


async def counted_on(path: Path) -> Ledger:
    books = ledger(path)
    await books.__aenter__()
    await books.apply(readings(job()))
    return books


@pytest.mark.usefixtures("no_links")
async def test_without_hard_links(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    books = await counted_on(path)
    path.unlink()
    await books.apply(readings(job("second")))
    assert (books.write_errors, shown(books, "jobs_created")) == (0, 2)
    await books.__aexit__(None, None, None)
    async with ledger(path) as again:
        assert shown(again, "jobs_created") == 2
    assert os.listdir(tmp_path) == [path.name]


def come_back(path: Path) -> Callable[..., None]:
    """Restore a copy just before the exporter does."""

    def link(*_: object) -> None:
        path.write_bytes(b"restored")
        raise OSError(errno.EPERM, "no links here")

    return link


async def test_a_file_that_somebody_put_there_meanwhile_is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state.db"
    books = await counted_on(path)
    path.unlink()
    monkeypatch.setattr(os, "link", come_back(path))
    await books.apply(readings(job("second")))
    assert books.write_errors == 1
    assert path.read_bytes() == b"restored"
    await books.__aexit__(None, None, None)


@pytest.mark.usefixtures("no_links")
async def test_what_is_left_when_it_fails_or_is_killed_half_way_is_no_empty_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, found = tmp_path / "state.db", []
    books = await counted_on(path)
    path.unlink()
    with monkeypatch.context() as patch:

        def refuse(source: Path, target: Path) -> None:
            found.append(target.read_bytes())
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        patch.setattr(os, "replace", refuse)
        await books.apply(readings(job("second")))
    # After a kill, an empty file would be taken for a new one, and the totals would silently start at 0.
    assert all(b"state.db.new" in placeholder for placeholder in found)
    assert found
    assert "cannot be restored" in str(books.last_error)
    assert not path.exists()
    await books.apply(readings(job("second")))
    assert shown(books, "jobs_created") == 2
    await books.__aexit__(None, None, None)
