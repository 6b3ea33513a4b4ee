"""A backup is what a kill at its moment would have left; restored elsewhere, nothing that was asked is asked again."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import random
import sqlite3
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from batchd import CannotFind, Failure, Json, Limits, Problem, Submission
from batchd.app.backups import backup as backups
from batchd.app.backups.backup import CannotBackUp, back_up
from batchd.app.backups.restore import CannotRestore, refuse_half_restored, restore
from batchd.errors import StateUnusable
from batchd.live.lanes import LiveTerms
from batchd.store.layout import BACKING_UP, DATABASE, RESTORING
from batchd.store.spool import Spool
from batchd.testing.fakes import FakeProvider, FakeService
from batchd.testing.household import Household

from ..engine.conftest import EVERY_CASE, MakeHousehold, csv_of, make_household, route
from ..engine.test_faults import order
from ..live.conftest import LiveService

__all__ = ["make_household"]

pytestmark = pytest.mark.field("state")
RESULTS = "reviews/may.results.csv"
SECRET = "sk-proj-0123456789abcdefABCDEF"


def config_of(household: Household) -> Path:
    path = household.folder / "config.toml"
    if not path.exists():
        path.write_text(
            f'[providers.fake]\nplugin = "openai"\napi_key = "{SECRET}"\nbase_url = "env:URL"\n# was: {SECRET}\n'
        )
    return path


class Hesitant(FakeService):
    """Answers one row only when it is asked for the second time."""

    def __init__(self) -> None:
        super().__init__(self._first_no)
        self.polls = 2
        self._hesitated = False

    def _first_no(self, body: dict[str, Json]) -> str | Failure:
        text = body["messages"][-1]["content"]
        if text == "row 4" and not self._hesitated:
            self._hesitated = True
            return Failure("server_error", "Not now.", transient=True)
        return f"re: {text}"


class ByKeyAlone(FakeProvider):
    """As a service whose list does not say which rows a batch asks."""

    async def find_rows(self, submission: Submission) -> Sequence[str]:
        raise CannotFind("The list does not say it.")


async def lost_after(
    make: MakeHousehold, tmp_path: Path, actions: int, provider: type[FakeProvider] = FakeProvider, *, then: int = 3
) -> tuple[Household, Household, bool]:
    """A household that was backed up after so many actions, went on and was lost; and the one it is restored in."""
    service = Hesitant()
    first = make(service=service, provider=provider(service), limits=Limits(max_requests=3))
    first.drop("reviews/may.csv", csv_of([f"row {number}" for number in range(10)]))
    async with first.living() as daemon:
        await daemon.take_in()
        for _ in range(actions):
            await daemon.step()
        done = any(event.kind == "JobFinished" for event in first.events)
        await asyncio.to_thread(back_up, config_of(first), tmp_path / f"backup-{actions}")
        first.drop("reviews/june.csv", csv_of(["june 1", "june 2", "june 3"]))
        await daemon.take_in()
        await daemon.drain()
    second = make(service=service, provider=provider(service), limits=Limits(max_requests=then))
    await asyncio.to_thread(restore, tmp_path / f"backup-{actions}", second.folder / "config.toml")
    return first, second, done


@pytest.mark.slow
async def test_nothing_is_lost_and_nothing_is_asked_again_after_a_backup_at_any_moment(
    make_household: MakeHousehold, tmp_path: Path
) -> None:
    wrong: list[str] = []
    for actions in itertools.count() if EVERY_CASE else itertools.count(random.randrange(7), 7):
        first, second, done = await lost_after(make_household, tmp_path, actions)
        creates = first.service.creates
        async with second.living() as daemon:
            await daemon.drain()
        executed = Counter(first.service.executed)
        again = [row for row, times in executed.items() if times > 1]
        if again or first.service.creates != creates:
            wrong.append(f"after {actions} actions: asked again {again}, {first.service.creates - creates} creates")
        if not done and second.outbox().get(RESULTS) != first.outbox()[RESULTS]:
            wrong.append(
                f"after {actions} actions: other results, {sorted(second.outbox())}, {[each.sentence for each in second.events][-3:]}"
            )
        if done:
            break
    assert not wrong, "\n".join(wrong)
    assert first.service.executed.total() == 13


@pytest.mark.slow
async def test_where_rows_cannot_be_looked_up_their_answers_tell(make_household: MakeHousehold, tmp_path: Path) -> None:
    for then, held in ((3, 0), (2, 1)):
        # Where other rows go into a batch than before, it is not known which were asked: a person decides.
        (tmp_path / str(then)).mkdir()
        first, second, _ = await lost_after(make_household, tmp_path / str(then), 3, ByKeyAlone, then=then)
        async with second.living() as daemon:
            for _ in range(200):
                if await daemon.step() is None or (held and any(each.kind == "BatchHeld" for each in second.events)):
                    break
        assert max(first.service.executed.values()) == 1
        reasons = [event.data()["reason"] for event in second.events if event.kind == "BatchHeld"]
        assert ["older copy" in reason for reason in reasons] == [True] * held
        assert (RESULTS in second.outbox()) == (not held)


@pytest.mark.slow
async def test_of_live_calls_only_those_since_the_backup_are_made_again(
    make_household: MakeHousehold, tmp_path: Path
) -> None:
    texts = [f"row {number}" for number in range(9)]
    service, released = LiveService(), asyncio.Semaphore(4)
    service.gate = released.acquire
    terms = {"provider": service, "live": LiveTerms(at_once=2), "routes": (route(part_rows=100),)}
    first = make_household(**terms)
    first.drop("reviews/may.csv", csv_of(texts))
    async with first.living() as daemon:
        await daemon.take_in()
        for _ in range(200):
            await daemon.step()
            if len(service.asked) == 6:
                break
        await asyncio.to_thread(back_up, config_of(first), tmp_path / "b")
        asked = list(service.asked)
        for _ in texts:
            released.release()
        await daemon.drain()
    assert sorted(service.asked) == texts
    service.asked.clear()
    service.gate = None
    second = make_household(**terms)
    await asyncio.to_thread(restore, tmp_path / "b", second.folder / "config.toml")
    async with second.living() as daemon:
        await daemon.drain()
    answered = set(asked[:4])
    assert sorted(service.asked) == sorted(set(texts) - answered), "those under way and those that were not asked"
    assert second.outbox()[RESULTS] == first.outbox()[RESULTS]
    twice = [each["possibly_paid_twice"] for each in second.report("reviews/may.report.json")["batches"]]
    assert [each["rows"] for each in twice if each] == [2]


async def test_a_batch_that_was_refused_before_is_not_taken_over(make_household: MakeHousehold, tmp_path: Path) -> None:
    refused = [Problem("model_not_found", "The model small does not exist.")]
    service = FakeService()
    service.refuse = lambda _: refused if service.creates == 1 else ()
    first = make_household(service=service)
    first.drop("reviews/may.csv", csv_of(["one", "two"]))
    async with first.living() as daemon:
        await daemon.take_in()
        await daemon.drain()
        [job] = await daemon.context.store.jobs.ids()
        await asyncio.to_thread(back_up, config_of(first), tmp_path / "b")
    second = make_household(service=service)
    await asyncio.to_thread(restore, tmp_path / "b", second.folder / "config.toml")
    async with second.living() as daemon:
        await order(daemon, "retry", job)
        await daemon.drain()
    assert (service.creates, second.outbox()[RESULTS].count(b",ok,")) == (2, 2)


async def test_working_files_on_another_file_system_are_in_it(make_household: MakeHousehold, tmp_path: Path) -> None:
    household = make_household()
    async with household.living():
        pass
    state, spool = household.folder / "state", household.folder / "spool"
    spool.mkdir(mode=0o700)
    for name in ("jobs", "batches"):
        if (state / name).exists():
            (state / name).rmdir()
    with Spool(state, spool).locked(), contextlib.closing(sqlite3.connect(state / DATABASE)) as database, database:
        database.execute(
            "INSERT INTO jobs (id, state, source, inbox_path, stamp, size, route, claimed_at) "
            "VALUES ('k3j9x2ab', 'claimed', 'may.csv', x'6d', '[]', 1, '{}', 0)"
        )
    (spool / "jobs" / "k3j9x2ab").mkdir()
    (spool / "jobs" / "k3j9x2ab" / "source").write_text("id,review")
    config = config_of(household)
    config.write_text('[folders]\nspool = "spool"\n' + config.read_text())
    await asyncio.to_thread(back_up, config, tmp_path / "b")
    assert (tmp_path / "b" / "state" / "jobs" / "k3j9x2ab" / "source").read_text() == "id,review"
    there = await asyncio.to_thread(restored_to, tmp_path / "there", tmp_path / "b")
    assert (there / "spool" / "jobs" / "k3j9x2ab" / "source").read_text() == "id,review"
    assert (there / "spool" / "jobs" / "k3j9x2ab" / "parts").is_dir()
    assert (there / "state" / DATABASE).exists()
    assert not (there / "state" / "jobs").exists()
    with Spool(there / "state", there / "spool").locked():
        refuse_half_restored(there / "state")


async def test_what_is_in_a_backup_and_what_is_not(make_household: MakeHousehold, tmp_path: Path) -> None:
    household = make_household(limits=Limits(max_requests=3))
    household.drop("reviews/april.csv", csv_of(["april"]))
    async with household.living() as daemon:
        await daemon.take_in()
        await daemon.drain()
        household.drop("reviews/may.csv", csv_of([f"row {number}" for number in range(10)]))
        await daemon.take_in()
        while not await daemon.batches():
            await daemon.step()
        (household.provider.state_folder / "token").write_text("of the plugin")
        done = await asyncio.to_thread(back_up, config_of(household), tmp_path / "b")
        whole = await asyncio.to_thread(back_up, config_of(household), tmp_path / "whole", finished=True)
        ids = await daemon.context.store.jobs.ids()
    assert (done.jobs, whole.jobs, done.hidden) == (1, 2, ("providers.fake.api_key",))
    names = {str(each.relative_to(done.folder)) for each in done.folder.rglob("*") if each.is_file()}
    assert {"backup.json", "config.toml", "state/batchd.db"} <= names
    [job] = [each for each in ids if f"state/jobs/{each}/source" in names]
    assert f"state/jobs/{job}/rows.jsonl" in names
    assert SECRET not in (done.folder / "config.toml").read_text()
    assert 'base_url = "env:URL"' in (done.folder / "config.toml").read_text()
    modes = {each.stat().st_mode & 0o077 for each in [done.folder, *done.folder.rglob("*")]}
    assert (modes, os.umask(os.umask(0o022))) == ({0}, os.umask(os.umask(0o022)))
    assert not (household.folder / "state" / BACKING_UP).exists()
    assert not list(tmp_path.glob(".*"))
    # The job that is not in it was finished: its working files are gone with the machine, and the state says so.
    restored = await asyncio.to_thread(restored_to, tmp_path / "there", done.folder)
    with contextlib.closing(sqlite3.connect(restored / "state" / DATABASE)) as database, database:
        swept = dict(database.execute("SELECT id, swept_at IS NOT NULL FROM jobs"))
    assert swept == {each: each != job for each in ids}
    assert (restored / "state" / "plugins" / "providers" / "fake" / "token").read_text() == "of the plugin"


def restored_to(place: Path, backup: Path) -> Path:
    restore(backup, place / "config.toml")
    return place


def empty_backup(make: MakeHousehold, target: Path) -> Household:
    household = make()

    async def live() -> None:
        async with household.living():
            pass

    asyncio.run(live())
    back_up(config_of(household), target)
    return household


def test_a_backup_replaces_nothing_by_itself(make_household: MakeHousehold, tmp_path: Path) -> None:
    target = tmp_path / "b"
    household = empty_backup(make_household, target)
    config = config_of(household)
    other = tmp_path / "other"
    other.mkdir()
    (other / "mine.txt").write_text("mine")
    for place, force, words in [
        (target, False, "is a backup of"),
        (other, True, "is no backup"),
        (household.folder / "state" / "b", False, "one is inside the other"),
        (household.folder, True, "one is inside the other"),
        (household.folders.inbox / "b", False, "the inbox folder .* one is inside the other"),
        (household.folders.outbox / "b", False, "the outbox folder .* one is inside the other"),
        (other / "mine.txt" / "b", False, "Not a directory. Nothing is left of it"),
    ]:
        with pytest.raises(CannotBackUp, match=words):
            back_up(config, place, force=force)
    (tmp_path / "empty").mkdir(mode=0o755)
    assert back_up(config, tmp_path / "empty").replaced is None
    assert (tmp_path / "empty").stat().st_mode & 0o777 == 0o700
    before = json.loads((target / "backup.json").read_bytes())["made_at"]
    assert back_up(config, target, force=True).replaced is not None
    assert json.loads((target / "backup.json").read_bytes())["made_at"] > before
    assert (other / "mine.txt").read_text() == "mine"


def test_a_backup_appears_whole_or_not_at_all(make_household: MakeHousehold, tmp_path: Path) -> None:
    target = tmp_path / "b"
    household = empty_backup(make_household, target)
    kept = (target / "backup.json").read_bytes()
    # Each new file of the backup is refused in turn, as on a full disk.
    job = Spool(household.folder / "state").job("somejob1")
    job.mkdir(parents=True)
    with contextlib.closing(sqlite3.connect(household.folder / "state" / DATABASE)) as database, database:
        database.execute("DROP TABLE jobs")
    with pytest.raises(StateUnusable):
        back_up(config_of(household), target, force=True)
    assert (target / "backup.json").read_bytes() == kept
    assert not list(tmp_path.glob(".*"))
    assert not (household.folder / "state" / BACKING_UP).exists()


def test_one_backup_at_a_time(make_household: MakeHousehold, tmp_path: Path) -> None:
    household = empty_backup(make_household, tmp_path / "b")
    state = household.folder / "state"
    with backups.one_at_a_time(state), pytest.raises(CannotBackUp, match="is being made"):
        back_up(config_of(household), tmp_path / "c")
    # What a killed one has left goes with the next look, but not while one is being made.
    (state / BACKING_UP / "jobs").mkdir(parents=True)
    backups.clear_leftovers(state)
    assert not (state / BACKING_UP).exists()
    with backups.one_at_a_time(state) as links:
        (links / "jobs").mkdir()
        backups.clear_leftovers(state)
        assert (links / "jobs").exists()


def test_a_restore_needs_an_empty_place(make_household: MakeHousehold, tmp_path: Path) -> None:
    target = tmp_path / "b"
    household = empty_backup(make_household, target)
    with pytest.raises(CannotRestore, match=r"not empty: .*batchd\.db"):
        restore(target, config_of(household))
    with Spool(tmp_path / "used" / "state").locked(), pytest.raises(CannotRestore, match="works on the state folder"):
        restore(target, tmp_path / "used" / "config.toml")
    assert not (tmp_path / "used" / "config.toml").exists()
    with pytest.raises(CannotRestore, match="is no backup"):
        restore(tmp_path / "used", tmp_path / "elsewhere" / "config.toml")


def test_a_backup_that_is_not_whole_or_newer_changes_nothing(make_household: MakeHousehold, tmp_path: Path) -> None:
    target, place = tmp_path / "b", tmp_path / "there"
    empty_backup(make_household, target)
    manifest = json.loads((target / "backup.json").read_bytes())
    database = target / "state" / DATABASE
    whole = database.read_bytes()
    database.write_bytes(whole[:-1])
    with pytest.raises(CannotRestore, match=r"not whole: 1 of .* such as state/batchd\.db.* Nothing was restored"):
        restored_to(place, target)
    database.unlink()
    with pytest.raises(CannotRestore, match=r"not whole: .* such as state/batchd\.db"):
        restored_to(place, target)
    database.write_bytes(whole)
    (target / "backup.json").write_text(json.dumps({**manifest, "schema": manifest["schema"] + 1, "batchd": "9.0"}))
    with pytest.raises(CannotRestore, match=r"batchd 9\.0, which is newer"):
        restored_to(place, target)
    (target / "backup.json").write_text(json.dumps(manifest)[:-5])
    with pytest.raises(CannotRestore, match=r"its backup\.json is damaged"):
        restored_to(place, target)
    assert not (place / "state").exists()
    (tmp_path / "file").write_text("")
    (target / "backup.json").write_text(json.dumps(manifest))
    with pytest.raises(CannotRestore, match=r"Not a directory. No daemon starts"):
        restore(target, tmp_path / "file" / "config.toml")


def test_a_backup_that_was_changed_is_refused_and_a_restore_that_was_cut_off_begins_anew(
    make_household: MakeHousehold, tmp_path: Path
) -> None:
    target, place = tmp_path / "b", tmp_path / "there"
    empty_backup(make_household, target)
    whole = (target / "state" / DATABASE).read_bytes()
    (target / "state" / DATABASE).write_bytes(whole[:-1] + b"x")
    with pytest.raises(CannotRestore, match="changed or damaged"):
        restored_to(place, target)
    # Nothing works on what is half there.
    assert (place / "state" / RESTORING).exists()
    with pytest.raises(StateUnusable, match="cut off"):
        refuse_half_restored(place / "state")
    (target / "state" / DATABASE).write_bytes(whole)
    restored_to(place, target)
    refuse_half_restored(place / "state")
    assert sorted(each.name for each in (place / "state").iterdir()) == [DATABASE, "lock"]
