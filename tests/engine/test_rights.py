"""Who may read what people get: the group and mode of a route, from the first moment that a name can be seen."""

from __future__ import annotations

import grp
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from batchd.cli.checking.results import group_result
from batchd.files import Rights, make_folder, publishing
from batchd.money.budget import Ceilings, SpendingLimits
from batchd.testing.household import REVIEWS, Household
from batchd.values import replace

from .conftest import csv_of

pytestmark = pytest.mark.field("people's data")

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to have two users and two groups")

NOBODY = 65_534
TEAM_A, TEAM_B = "daemon", "games"
"""Groups that every Debian has; the test gives nobody one of them."""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that other users may go through, which pytest's own are not."""
    path = Path(tempfile.mkdtemp(prefix="batchd-rights-"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path)


def rights_of(path: Path) -> tuple[str, int]:
    status = path.stat()
    return grp.getgrgid(status.st_gid).gr_name, stat.S_IMODE(status.st_mode)


def can_read(path: Path, *groups: str) -> bool:
    """Whether a user who is in these groups alone reads the file."""
    numbers = [grp.getgrnam(name).gr_gid for name in groups]
    call = ["cat", str(path)]
    done = subprocess.run(call, user=NOBODY, group=NOBODY, extra_groups=numbers, capture_output=True, check=False)
    return done.returncode == 0


@needs_root
def test_a_draft_has_its_rights_before_its_first_byte(folder: Path) -> None:
    with publishing(folder / "may.csv", rights=Rights(TEAM_A, 0o640)) as file:
        assert rights_of(folder / ".may.csv.draft") == (TEAM_A, 0o640)
        file.write(b"secret")
    assert rights_of(folder / "may.csv") == (TEAM_A, 0o640)


def test_a_mode_alone_holds_whatever_the_umask_is(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        with publishing(tmp_path / "may.csv", rights=Rights(mode=0o664)) as file:
            file.write(b"for all")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "may.csv").stat().st_mode) == 0o664


@pytest.mark.parametrize(("mode", "of_folder"), [(None, 0o751), (0o600, 0o711), (0o640, 0o751), (0o644, 0o755)])
def test_folders_let_through_and_show_their_names_to_those_who_may_read(
    tmp_path: Path, mode: int | None, of_folder: int
) -> None:
    make_folder(tmp_path / "a" / "b", rights=Rights(mode=mode))
    for path in (tmp_path / "a", tmp_path / "a" / "b"):
        assert stat.S_IMODE(path.stat().st_mode) == of_folder
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_group_that_does_not_exist_shows_nothing(tmp_path: Path) -> None:
    with (
        pytest.raises(FileNotFoundError, match="no group “no-such-group”"),
        publishing(tmp_path / "may.csv", rights=Rights("no-such-group")),
    ):
        pass
    assert list(tmp_path.iterdir()) == []
    assert group_result("route reviews", "no-such-group").level == "wrong"


@needs_root
@pytest.mark.slow
def test_a_group_that_we_are_not_in_shows_nothing(folder: Path) -> None:
    folder.chmod(0o777)
    (folder / "dropped").write_text("by somebody else")
    code = f"""
import os, grp
from pathlib import Path
from batchd.cli.checking.results import group_result
from batchd.delivery.archive import move
from batchd.files import Rights, publishing
os.setgroups([grp.getgrnam("{TEAM_B}").gr_gid]); os.setgid({NOBODY}); os.setuid({NOBODY})
print(group_result("route reviews", "{TEAM_A}").level, group_result("route reviews", "{TEAM_B}").level)
with publishing(Path("{folder}/may.csv"), rights=Rights("{TEAM_B}")) as file:
    file.write(b"ours")
move(Path("{folder}/dropped"), Path("{folder}/archived.csv"), rights=Rights("{TEAM_B}", 0o640))
print(group_result("route reviews", "{TEAM_A}").text)
with publishing(Path("{folder}/june.csv"), rights=Rights("{TEAM_A}")) as file:
    file.write(b"theirs")
"""
    # It becomes the other user once all is imported, which that user may not be able to read.
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.startswith("wrong ok"), done.stdout + done.stderr
    assert f"is not in the group “{TEAM_A}”" in done.stdout
    assert "PermissionError" in done.stderr
    assert {path.name for path in folder.iterdir()} == {"may.csv", "archived.csv"}
    # Its owner was another user, so that it became a copy of ours.
    assert rights_of(folder / "archived.csv") == (TEAM_B, 0o640)
    assert (folder / "archived.csv").stat().st_uid == NOBODY


@needs_root
@pytest.mark.slow
async def test_teams_on_one_server_do_not_read_each_others_files(folder: Path) -> None:
    routes = (
        replace(REVIEWS, rights=Rights(TEAM_A, 0o640)),
        replace(REVIEWS, name="surveys", match=("surveys/**",), rights=Rights(TEAM_B, 0o640)),
    )
    household = Household(folder / "house", routes=routes)
    (folder / "house").chmod(0o711)
    household.drop("reviews/may.csv", csv_of(["fine", "well"]))
    household.drop("surveys/may.csv", csv_of(["odd"]))
    household.drop("reviews/broken.csv", b"\xff\xfe\x00")
    # A file of another user, who may not be a user that we could change the rights of.
    os.chown(household.folders.inbox / "surveys" / "may.csv", 12_345, 12_345)
    await household.work()
    folders = household.folders
    seen = [
        path
        for top in (folders.outbox, folders.archive, folders.rejected)
        for path in sorted(top.rglob("*"))
        if path.is_file()
    ]
    names = {path.name for path in seen}
    assert {"may.results.csv", "may.report.json", "may.csv", "broken.csv", "broken.csv.why.txt"} <= names
    for path in seen:
        ours, theirs = (TEAM_A, TEAM_B) if "reviews" in path.parts else (TEAM_B, TEAM_A)
        assert rights_of(path) == (ours, 0o640), path
        assert can_read(path, ours), path
        assert not can_read(path, theirs), path
        assert not can_read(path), path


@needs_root
async def test_notes_of_held_jobs_have_them_too(folder: Path) -> None:
    household = Household(
        folder / "house",
        routes=(replace(REVIEWS, rights=Rights(TEAM_A)),),
        budget=SpendingLimits(overall=Ceilings(per_job=0)),
    )
    household.drop("reviews/may.csv", csv_of(["fine"]))
    await household.work()
    [note] = list(household.folders.held.rglob("*.held.txt"))
    assert rights_of(note) == (TEAM_A, 0o640)


async def test_a_wrong_group_keeps_its_job_waiting_until_it_is_put_right(tmp_path: Path) -> None:
    household = Household(tmp_path / "house", routes=(replace(REVIEWS, rights=Rights("no-such-group")),))
    household.drop("reviews/may.csv", csv_of(["fine"]))
    async with household.living() as daemon:
        await daemon.take_in()
        await daemon.steps(30)
        said = " ".join((await daemon.context.store.event_log.conditions()).values())
        assert "no group “no-such-group”" in said
        assert household.outbox() == {}
        daemon.reconfigure(routes=(replace(REVIEWS, rights=Rights(mode=0o600)),))
        await daemon.drain()
    for name in household.outbox():
        assert stat.S_IMODE((household.folders.outbox / name).stat().st_mode) == 0o600


async def test_a_route_that_was_taken_out_leaves_its_results_to_batchd_alone(tmp_path: Path) -> None:
    other = replace(REVIEWS, name="other", match=("other/**",), rights=Rights(mode=0o644))
    household = Household(tmp_path / "house", routes=(replace(REVIEWS, rights=Rights(mode=0o644)), other))
    household.drop("reviews/may.csv", csv_of(["fine"]))
    async with household.living() as daemon:
        await daemon.take_in()
        await daemon.step()
        daemon.reconfigure(routes=(other,))
        await daemon.drain()
    assert household.outbox()
    for name in household.outbox():
        assert stat.S_IMODE((household.folders.outbox / name).stat().st_mode) == 0o600
