"""A file that is in work for a while has a note in the outbox, under the name that its results will have."""

from __future__ import annotations

from pathlib import Path

from batchd.app.waiting_notes import AFTER, AGAIN_AFTER, WaitingNoteKeeper
from batchd.domain import lifecycle
from batchd.people.language import Language
from batchd.testing.household import Household, Living

CSV = "review\n" + "good\n" * 4


async def until(daemon: Living, kind: type[lifecycle.Action]) -> None:
    """Carry out actions up to the first of this kind."""
    while not isinstance(await daemon.step(), kind):
        pass


async def in_work(daemon: Living) -> WaitingNoteKeeper:
    """Who keeps the notes, once the file is in work for so long that it is to have one."""
    await daemon.take_in()
    await until(daemon, lifecycle.Submit)
    daemon.household.clock.advance(AFTER)
    return WaitingNoteKeeper(daemon.context)


async def look(daemon: Living, keeper: WaitingNoteKeeper) -> list[str]:
    """What is in the outbox after a look at the notes."""
    await keeper.look(Language())
    return sorted(daemon.household.outbox())


async def test_the_note_comes_is_renewed_and_goes_with_the_results(tmp_path: Path) -> None:
    household = Household(tmp_path)
    household.drop("reviews/may.csv", CSV)
    async with household.living() as daemon:
        keeper = WaitingNoteKeeper(daemon.context)
        await daemon.take_in()
        await until(daemon, lifecycle.Submit)
        assert await look(daemon, keeper) == []
        household.clock.advance(AFTER)
        assert await look(daemon, keeper) == ["reviews/may.waiting.txt"]
        first = household.outbox()["reviews/may.waiting.txt"]
        assert b"(4 rows)" in first
        await until(daemon, lifecycle.Fetch)
        household.clock.advance(AGAIN_AFTER)
        await look(daemon, keeper)
        assert household.outbox()["reviews/may.waiting.txt"] != first
        await daemon.drain()
        assert sorted(household.outbox()) == ["reviews/may.report.json", "reviews/may.results.csv"]
        assert await look(daemon, keeper) == ["reviews/may.report.json", "reviews/may.results.csv"]


async def test_the_name_that_a_note_tells_is_kept_for_its_job(tmp_path: Path) -> None:
    household = Household(tmp_path)
    (household.folders.outbox / "reviews").mkdir()
    (household.folders.outbox / "reviews" / "may.results.csv").write_text("an earlier one\n")
    household.drop("reviews/may.csv", CSV)
    async with household.living() as daemon:
        keeper = await in_work(daemon)
        assert "reviews/may (2).waiting.txt" in await look(daemon, keeper)
        # The name that it was not told becomes free, and another job of the same name comes.
        (household.folders.outbox / "reviews" / "may.results.csv").unlink()
        household.drop("reviews/may.csv", CSV + "bad\n")
        await daemon.take_in()
        await daemon.drain()
        assert household.report("reviews/may (2).report.json")["rows"]["total"] == 4
        assert household.report("reviews/may.report.json")["rows"]["total"] == 5
        assert not [name for name in household.outbox() if "waiting" in name]


async def test_a_file_in_the_way_of_the_name_moves_results_and_note(tmp_path: Path) -> None:
    household = Household(tmp_path)
    household.drop("reviews/may.csv", CSV)
    async with household.living() as daemon:
        keeper = await in_work(daemon)
        await look(daemon, keeper)
        household.folders.outbox.joinpath("reviews", "may.results.csv").write_text("somebody's\n")
        await daemon.drain()
        outbox = household.outbox()
    assert outbox.pop("reviews/may.results.csv") == b"somebody's\n"
    assert sorted(outbox) == ["reviews/may (2).report.json", "reviews/may (2).results.csv"]


async def test_a_daemon_that_was_killed_leaves_no_note_behind(tmp_path: Path) -> None:
    household = Household(tmp_path)
    household.drop("reviews/may.csv", CSV)
    async with household.living() as daemon:
        assert await look(daemon, await in_work(daemon)) == ["reviews/may.waiting.txt"]
    async with household.living() as daemon:
        await daemon.drain()
    assert sorted(household.outbox()) == ["reviews/may.report.json", "reviews/may.results.csv"]


async def test_a_file_of_another_person_under_the_notes_name_stays_and_holds_nothing_up(tmp_path: Path) -> None:
    household = Household(tmp_path)
    (household.folders.outbox / "reviews").mkdir()
    theirs = household.folders.outbox / "reviews" / "may.waiting.txt"
    theirs.write_text("mine\n")
    household.drop("reviews/may.csv", CSV)
    async with household.living() as daemon:
        keeper = await in_work(daemon)
        await look(daemon, keeper)
        await daemon.drain()
    assert theirs.read_text() == "mine\n"
    assert "reviews/may.results.csv" in household.outbox()
