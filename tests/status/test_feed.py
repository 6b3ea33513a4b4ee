"""Observers hear every event at least once and in order, from where they stand, each at its own pace."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from itertools import pairwise

import pytest

from batchd.domain.subjects import Subject, SubjectKind
from batchd.errors import TransientError
from batchd.events import ConditionRaised, Event, JobCancelled, JobFailed, JobRetried
from batchd.status.listener import MAX_TRIES, SAID_AFTER, ConfiguredObserver
from batchd.store.errors import StoreUnavailable
from batchd.store.tables.observers import KEEP_GONE, MAX_EVENTS, WINDOW, Observers
from batchd.values import replace

from .conftest import PATIENCE, Notebook, Rig, hearing


async def test_every_event_is_heard_once_in_order_with_its_number_and_time(rig: Rig) -> None:
    book = Notebook()
    async with rig.running(book=hearing(book)):
        await asyncio.gather(*(rig.happen(str(number)) for number in range(20)))
        await rig.happen("a", "b")
        await book.has_heard(22)
    assert book.jobs == [*map(str, range(20)), "a", "b"]
    assert [event.id for event in book.heard] == list(range(1, 23))
    assert {event.at for event in book.heard} == {rig.clock.wall}
    assert book.heard[-1] == JobFailed(job="b", reason="x")


async def test_a_new_observer_begins_with_the_events_from_now_on(rig: Rig) -> None:
    async with rig.running():
        await rig.happen("before")
    book = Notebook()
    async with rig.running(book=hearing(book)):
        await rig.happen("after")
    assert book.jobs == ["after"]


async def test_another_start_goes_on_behind_the_last_event_that_was_heard(rig: Rig) -> None:
    first, second = Notebook(), Notebook()
    async with rig.running(book=hearing(first)):
        await rig.happen("one")
        await first.has_heard(1)
    async with rig.running(other=hearing(Notebook())):
        await rig.happen("two")
    async with rig.running(book=hearing(second)):
        await rig.happen("three")
    assert (first.jobs, second.jobs) == (["one"], ["two", "three"])


async def test_an_observer_that_is_gone_for_a_month_begins_anew(rig: Rig) -> None:
    for gone, heard in ((KEEP_GONE - 1, ["meanwhile", "after"]), (KEEP_GONE + 1, ["after"])):
        async with rig.running(book=hearing(Notebook())):
            pass
        async with rig.running():
            await rig.happen("meanwhile")
        rig.clock.advance(gone)
        book = Notebook()
        async with rig.running(book=hearing(book)):
            await rig.happen("after")
        assert book.jobs == heard


async def test_a_daemon_that_does_not_run_for_a_month_forgets_nobody(rig: Rig) -> None:
    slow, book = Notebook(), Notebook()
    slow.on_notice = _never
    async with rig.running(book=hearing(slow)):
        await rig.happen("before")
        await slow.has_called("notice before")
        await rig.feed.close(0.0)
    rig.clock.advance(KEEP_GONE + 1)
    async with rig.running(book=hearing(book)):
        await rig.happen("after")
    assert book.jobs == ["before", "after"]


async def test_events_of_other_kinds_are_passed_over_however_many_there_are(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, logger="batchd")
    book = Notebook()
    async with rig.running(book=hearing(book, JobCancelled)):
        await rig.happen(*map(str, range(WINDOW + 1)))
        await rig.store.event_log.record(JobCancelled(job="wanted"))
    assert book.jobs == ["wanted"]


async def test_a_kind_that_is_wanted_later_is_heard_from_then_on(rig: Rig) -> None:
    """Whatever was passed over, in this life of the daemon or an earlier one."""
    async with rig.running(book=hearing(Notebook(), JobCancelled)):
        await rig.happen("one")
    book, both = Notebook(), Notebook()
    async with rig.running(book=hearing(book, JobCancelled)):
        await rig.happen("two")
        await rig.feed.change({"book": hearing(both, JobCancelled, JobFailed)})
        await rig.happen("three")
        await rig.store.event_log.record(JobCancelled(job="four"))
    assert (book.jobs, both.jobs) == ([], ["three", "four"])


async def test_what_waits_for_a_slow_observer_waits_in_the_database_and_nobody_else_waits(rig: Rig) -> None:
    slow, quick, go = Notebook(), Notebook(), asyncio.Event()
    slow.on_notice = lambda event: _set(go)
    names = [str(number) for number in range(MAX_EVENTS + 20)]
    async with rig.running(slow=hearing(slow), quick=hearing(quick)):
        await rig.happen("first")
        await slow.has_called("notice first")
        await rig.happen(*names)
        await quick.has_heard(1 + len(names))
        place = await rig.store.observers.place("slow", {"JobFailed"})
        assert (slow.jobs, place.cursor) == ([], 0)
        assert len((await rig.store.observers.after(place, 0)).events) == MAX_EVENTS
        go.set()
    assert slow.jobs == quick.jobs == ["first", *names]


async def _set(event: asyncio.Event) -> None:
    await event.wait()


async def _never(anything: object) -> None:
    await asyncio.Event().wait()


async def test_a_failing_observer_is_told_again_from_the_event_it_failed_on(rig: Rig) -> None:
    book, faults = Notebook(), iter([KeyError("a"), SystemExit(3), asyncio.CancelledError(), None, None])
    pauses: list[float] = []

    async def fail(event: Event) -> None:
        pauses.append(rig.clock.elapsed)
        fault = next(faults)
        if fault is not None:
            raise fault

    book.on_notice = fail
    async with rig.running(book=hearing(book)):
        await rig.happen("one", "two")
        await book.has_heard(2)
    assert book.calls == ["aopen", *["notice one"] * 4, "notice two", "aclose"]
    waited = [after - before for before, after in pairwise(pauses)]
    assert waited == [pytest.approx(seconds * 7 / 8) for seconds in (1, 2, 4, 0)]


async def test_a_pause_that_the_observer_asks_for_is_kept_to(rig: Rig) -> None:
    book, faults = Notebook(), iter([TransientError("busy", retry_after=40), None])

    async def fail(event: Event) -> None:
        fault = next(faults)
        if fault is not None:
            raise fault

    book.on_notice = fail
    before = rig.clock.elapsed
    async with rig.running(book=hearing(book)):
        await rig.happen("one")
        await book.has_heard(1)
    assert rig.clock.elapsed - before == pytest.approx(40)


async def test_an_event_that_always_fails_is_passed_over_and_named(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    book = Notebook()

    async def fail(event: Event) -> None:
        if event.job == "poison":
            raise KeyError("a")

    book.on_notice = fail
    before = rig.clock.elapsed
    async with rig.running(book=hearing(book)):
        await rig.happen("poison", "good")
        await book.has_heard(1)
    assert book.calls.count("notice poison") == MAX_TRIES
    assert book.jobs == ["good"]
    assert 45 * 60 < rig.clock.elapsed - before < 75 * 60, "about an hour"
    warnings = [record.getMessage() for record in caplog.records if "observer" in record.getMessage()]
    said = "The observer book failed on JobFailed of job poison (event 1)"
    assert warnings[0].startswith(f"{said}: KeyError: 'a'")
    assert warnings[0].endswith(f"batchd sends it {MAX_TRIES} times at most.")
    assert warnings[-1].startswith(f"{said} {MAX_TRIES} times and does not get it again: KeyError: 'a'")
    again = Notebook()
    async with rig.running(book=hearing(again)):
        pass
    assert again.jobs == [], "not after a restart either"


async def test_an_observer_is_opened_before_it_hears_and_closed_once(rig: Rig) -> None:
    book, faults = Notebook(), iter([OSError("not yet"), None])

    async def fail() -> None:
        fault = next(faults)
        if fault is not None:
            raise fault

    book.on_open = fail
    async with rig.running(book=hearing(book)):
        await rig.happen("one")
        await book.has_heard(1)
    assert book.calls == ["aopen", "aopen", "notice one", "aclose"]


async def test_a_cursor_that_cannot_be_written_holds_up_the_next_event(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or all that was heard meanwhile would be heard again after a crash."""
    book, faults = Notebook(), iter([StoreUnavailable("full")] * 3)
    seen: list[list[str | None]] = []
    write = Observers.heard

    async def heard(self: Observers, name: str, cursor: int) -> bool:
        seen.append(book.jobs)
        for fault in faults:
            raise fault
        return await write(self, name, cursor)

    monkeypatch.setattr(Observers, "heard", heard)
    async with rig.running(book=hearing(book)):
        await rig.happen("one", "two")
        await book.has_heard(2)
    assert seen == [["one"]] * 4 + [["one", "two"]]


async def test_what_is_under_way_at_a_stop_is_heard_again(rig: Rig) -> None:
    book, again = Notebook(), Notebook()
    book.on_notice = _never
    async with rig.running(book=hearing(book)):
        await rig.happen("one", "two")
        await book.has_called("notice one")
        await rig.feed.close(0.0)
    assert book.calls == ["aopen", "notice one", "aclose"]
    async with rig.running(book=hearing(again)):
        pass
    assert again.jobs == ["one", "two"]


async def test_an_observer_that_keeps_a_cancellation_to_itself_hears_nothing_more(rig: Rig) -> None:
    book = Notebook()

    async def stubborn(event: Event) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return

    book.on_notice = stubborn
    async with rig.running(book=hearing(book)):
        await rig.happen("one", "two")
        await book.has_called("notice one")
        await rig.feed.close(0.0)
    assert book.calls == ["aopen", "notice one", "aclose"]


async def test_a_stop_does_not_wait_for_a_pause(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    book, again = Notebook(), Notebook()

    async def fail(event: Event) -> None:
        raise KeyError("a")

    book.on_notice = fail
    monkeypatch.setattr(rig.clock, "sleep", _never)
    async with rig.running(book=hearing(book)):
        await rig.happen("one")
        await book.has_called("notice one")
        async with asyncio.timeout(20):
            await rig.feed.close(PATIENCE)
    async with rig.running(book=hearing(again)):
        pass
    assert again.jobs == ["one"]


# --- reload --------------------------------------------------------------------------------------------------------


async def test_a_reload_loses_and_repeats_nothing(rig: Rig) -> None:
    """The one of before ends with the event under way; its successor begins behind it."""
    first, second, go = Notebook(), Notebook(), asyncio.Event()
    first.on_notice = lambda event: _set(go)
    async with rig.running(book=hearing(first)):
        await rig.happen("one", "two")
        await first.has_called("notice one")
        await rig.feed.change({"book": hearing(second)})
        await rig.happen("three")
        assert second.calls == []
        go.set()
        await second.has_heard(2)
    assert (first.jobs, second.jobs) == (["one"], ["two", "three"])
    assert first.calls == ["aopen", "notice one", "aclose"]
    assert second.calls == ["aopen", "notice two", "notice three", "aclose"]


async def test_a_reload_leaves_alone_what_has_not_changed_and_ends_what_is_gone(rig: Rig) -> None:
    stays, goes, comes = Notebook(), Notebook(), Notebook()
    same = hearing(stays)
    async with rig.running(stays=same, goes=hearing(goes)):
        await rig.happen("one")
        await asyncio.gather(stays.has_heard(1), goes.has_heard(1))
        await rig.feed.change({"stays": same, "comes": hearing(comes)})
        await rig.happen("two")
        await goes.has_called("aclose")
        assert "aclose" not in stays.calls
    assert (stays.jobs, goes.jobs, comes.jobs) == (["one", "two"], ["one"], ["two"])
    assert [book.calls.count("aopen") for book in (stays, goes, comes)] == [1, 1, 1]


async def test_two_reloads_at_a_time_leave_one_observer_each(rig: Rig) -> None:
    books = [Notebook() for _ in range(3)]
    async with rig.running(book=hearing(books[0])):
        await asyncio.gather(*(rig.feed.change({"book": hearing(book)}) for book in books[1:]))
        await rig.happen("one")
    assert [job for book in books for job in book.jobs] == ["one"]
    assert [book.calls.count("aclose") for book in books] == [1, 1, 1]


async def test_a_stop_soon_after_a_reload_does_not_wait_for_the_observer_that_was_replaced(rig: Rig) -> None:
    first, second = Notebook(), Notebook()
    first.on_notice = _never
    async with rig.running(book=hearing(first)):
        await rig.happen("one")
        await first.has_called("notice one")
        await rig.feed.change({"book": hearing(second)})
        async with asyncio.timeout(10):
            await rig.feed.close(0.0)
    assert first.calls[-1] == second.calls[-1] == "aclose"


async def test_events_are_not_told_to_those_who_want_others(rig: Rig) -> None:
    book = Notebook()
    async with rig.running(book=hearing(book, JobRetried, JobCancelled)):
        await rig.happen("one")
        await rig.store.event_log.record(JobRetried(job="two", rows=1))
    assert book.jobs == ["two"]


class Grouping(Notebook):
    """Writes down which events came together."""

    group_for = 30.0

    def __init__(self) -> None:
        super().__init__()
        self.groups: list[list[str | None]] = []
        self.faults = 0

    async def notice_all(self, events: Sequence[Event]) -> None:
        self.groups.append([event.job for event in events])
        if self.faults:
            self.faults -= 1
            raise TransientError("busy")
        for event in events:
            await self.notice(event)


async def test_events_of_half_a_minute_come_together_and_all_again_after_a_fault(rig: Rig) -> None:
    book = Grouping()
    book.faults = 1
    async with rig.running(book=hearing(book)):
        before = rig.clock.elapsed
        await rig.happen("one", "two", "three")
        await book.has_heard(3)
        assert rig.clock.elapsed - before >= 30
        await rig.happen("four")
        await book.has_heard(4)
    assert book.groups == [["one", "two", "three"], ["one", "two", "three"], ["four"]]


async def test_a_group_is_told_at_once_when_the_daemon_ends(rig: Rig) -> None:
    book = Grouping()
    rig.clock.sleep = _never  # type: ignore[method-assign]
    async with rig.running(book=hearing(book)):
        await rig.happen("one", "two")
    assert book.groups == [["one", "two"]]


async def test_an_observer_of_a_route_hears_of_its_jobs_alone(rig: Rig) -> None:
    book = Notebook()
    observer = replace(hearing(book), routes=("reviews",))
    async with rig.running(book=observer):
        await rig.take("a", "reviews")
        await rig.take("b", "tickets")
        await rig.happen("b", "a")
        await rig.store.event_log.record(ConditionRaised(subject="disk", text="full"))
        await book.has_heard(3)
    assert [(event.kind, event.job) for event in book.heard] == [
        ("JobClaimed", "a"),
        ("JobFailed", "a"),
        ("ConditionRaised", None),
    ]


@pytest.mark.field("neighbours")
async def test_an_observer_that_keeps_failing_is_said_until_it_hears_again(rig: Rig) -> None:
    book, other = Notebook(), Notebook()
    well = asyncio.Event()

    async def fail(_: Event) -> None:
        if book.calls.count("notice one") <= SAID_AFTER:
            raise ConnectionError("no route to sk-abcdefghijklmnop")
        await well.wait()

    book.on_notice = fail
    async with rig.running(book=hearing(book), other=hearing(other)):
        await rig.happen("one")
        await book.has_called("notice one", SAID_AFTER + 1)
        said = (await rig.store.event_log.conditions())[Subject(SubjectKind.OBSERVER, "book")]
        assert f"failed on JobFailed of job one (event 1), {SAID_AFTER} times: ConnectionError" in said
        assert "[observers.book]" in said
        assert "sk-abc" not in said
        well.set()
        await other.has_heard(3)
    assert await stored_conditions(rig) == {}
    assert [event.kind for event in other.heard] == ["JobFailed", "ConditionRaised", "ConditionCleared"]
    assert [event.kind for event in book.heard] == ["JobFailed"], "its own trouble is no news for it"
    # What an earlier process has said is over with the first that is heard.
    async with rig.running(book=hearing(book)):
        await rig.store.observers.failing("book", "It fails.")
        await rig.happen("two")
    assert await stored_conditions(rig) == {}
    # One that is taken out of the configuration troubles nobody any more.
    async with rig.running(book=hearing(book)):
        await rig.store.observers.failing("book", "It fails.")
    async with rig.running():
        pass
    assert await stored_conditions(rig) == {}


async def stored_conditions(rig: Rig) -> dict[Subject, str]:
    async with rig.running(book=ConfiguredObserver(Notebook(), frozenset())):
        return await rig.store.event_log.conditions()
