"""A spool on a file system of its own: whose it is, what it must be able to do, and that it may be gone for a while."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from batchd.errors import StateUnusable
from batchd.store.shared_spool import check_spool, require_posix
from batchd.store.spool import Spool

pytestmark = pytest.mark.field("folders")


def opened(state: Path, shared: Path | None = None) -> Spool:
    spool = Spool(state, shared)
    with spool.locked():
        pass
    return spool


def refused(state: Path, shared: Path | None = None) -> str:
    with pytest.raises(StateUnusable) as raised:
        opened(state, shared)
    return str(raised.value)


def test_the_working_files_lie_there_and_the_database_does_not(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    spool = opened(tmp_path / "state", shared)
    spool.make_job("j1")
    spool.make_batch("b1")
    assert (shared / "jobs/j1/parts").is_dir()
    assert (shared / "batches/b1").is_dir()
    assert spool.database.parent == tmp_path / "state"
    assert stat.S_IMODE(shared.stat().st_mode) == 0o700
    assert not (tmp_path / "state/jobs").exists()
    opened(tmp_path / "state", shared)
    check_spool(tmp_path / "state", shared)


def test_below_an_empty_mount_point_nothing_is_made_or_removed(tmp_path: Path) -> None:
    state, shared = tmp_path / "state", tmp_path / "shared"
    spool = opened(state, shared)
    spool.make_job("j1")
    shared.rename(tmp_path / "away")
    shared.mkdir()
    for act in (
        lambda: spool.make_job("j2"),
        lambda: spool.make_batch("b2"),
        lambda: spool.remove_job("j1"),
        lambda: spool.remove_batch("b1"),
        lambda: opened(state, shared),
    ):
        with pytest.raises(FileNotFoundError, match="the spool is not there"):
            act()
    assert list(shared.iterdir()) == []
    shared.rmdir()
    (tmp_path / "away").rename(shared)
    spool.make_job("j2")
    spool.remove_job("j1")
    assert [each.name for each in (shared / "jobs").iterdir()] == ["j2"]


def test_a_spool_that_was_open_to_others_is_made_private(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o755)
    with pytest.raises(StateUnusable, match="Other users can read the spool"):
        check_spool(tmp_path, shared)
    opened(tmp_path / "state", shared)
    assert stat.S_IMODE(shared.stat().st_mode) == 0o700


def test_what_does_not_fit_is_refused_with_what_to_do(tmp_path: Path) -> None:
    state, shared = tmp_path / "state", tmp_path / "shared"
    opened(state).make_job("j1")
    assert f"mv '{state}/jobs' '{shared}/'" in refused(state, shared), "a spool that is configured later"
    (state / "jobs/j1/parts").rmdir()
    (state / "jobs/j1").rmdir()
    opened(state, shared)
    assert "the configuration does not say so any more" in refused(state), "a spool that is taken out"
    assert "Put it back" in refused(state, tmp_path / "other"), "another spool"
    assert "belongs to another batchd" in refused(tmp_path / "second", shared), "the spool of another state"


def test_a_start_that_was_interrupted_goes_on(tmp_path: Path) -> None:
    state, shared = tmp_path / "state", tmp_path / "shared"
    opened(state, shared)
    (state / "spool-of").unlink()
    opened(state, shared)
    check_spool(state, shared)


def test_a_file_system_that_cannot_do_what_is_done_there(tmp_path: Path) -> None:
    with pytest.raises(StateUnusable, match="to write a file and sync it there fails"):
        require_posix(Path("/proc"))
    require_posix(tmp_path)
    assert list(tmp_path.iterdir()) == []
