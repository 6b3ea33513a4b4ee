"""What a provider may do to a batch, and what becomes of its rows. The provider is a fake, everything else is real."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from typing import IO

import pytest

from batchd.contracts import Limits, RemoteBatch, Submission
from batchd.domain.lifecycle import Pack
from batchd.domain.subjects import Subject
from batchd.errors import CannotFind, NotKnownYet, RejectedError, RemoteMissing, SubmissionRefused, TransientError
from batchd.model import BatchPhase, BatchStatus, Failure, Json, Problem
from batchd.testing.fakes import FakeProvider, FakeService
from batchd.testing.household import Household, Living

from .conftest import MakeHousehold, csv_of, route

NINE = [f"review {number}" for number in range(9)]


async def run(household: Household, reviews: list[str] = NINE) -> None:
    """Drop a file and work until nothing is left to do."""
    household.drop("reviews/may.csv", csv_of(reviews))
    await household.work()


def statuses(household: Household, name: str = "reviews/may.results.csv") -> list[str]:
    """The status of each row in the results."""
    return [row["status"] for row in household.results(name)]


def content(request: dict[str, Json]) -> str:
    text: str = request["body"]["messages"][-1]["content"]
    return text


async def test_lines_that_sink_a_batch_fail_by_name_and_the_others_are_answered(make_household: MakeHousehold) -> None:
    household = make_household()
    household.service.refuse = lambda requests: [
        Problem("invalid_request", "This line is refused.", line=number)
        for number, request in enumerate(requests, start=1)
        if content(request) in {"review 2", "review 5"}
    ]
    await run(household)
    assert statuses(household) == ["ok", "ok", "failed", "ok", "ok", "failed", "ok", "ok", "ok"]
    assert set(household.service.executed.values()) == {1}
    [failure] = household.report("reviews/may.report.json")["failures"]
    assert (failure["code"], failure["rows"], failure["first_row"]) == ("invalid_request", 2, 2)
    assert failure["examples"] == [{"row": row, "message": "This line is refused."} for row in (2, 5)]


async def test_a_row_that_sinks_its_batch_without_a_reason_is_found_by_halving(make_household: MakeHousehold) -> None:
    household = make_household()
    household.service.refuse = lambda requests: (
        [Problem("bad_batch", "Something in it is wrong.")] if any(content(r) == "review 4" for r in requests) else []
    )
    await run(household)
    assert statuses(household) == ["ok"] * 4 + ["failed"] + ["ok"] * 4
    assert set(household.service.executed.values()) == {1}
    assert len(household.service.executed) == 8


async def test_an_enqueued_token_limit_is_learnt_and_kept(make_household: MakeHousehold) -> None:
    household = make_household()
    sizes: list[int] = []

    def refuse(requests: list[dict[str, Json]]) -> Sequence[Problem]:
        if len(requests) > 4:
            return [
                Problem("token_limit_exceeded", "Enqueued token limit reached for small. Limit: 90 enqueued tokens.")
            ]
        sizes.append(len(requests))
        return []

    household.service.refuse = refuse
    await run(household)
    assert statuses(household) == ["ok"] * 9
    assert set(household.service.executed.values()) == {1}
    assert max(sizes) <= 4


async def test_a_wrong_model_stops_the_job_in_words_and_retry_goes_on(make_household: MakeHousehold) -> None:
    household = make_household()
    household.service.refuse = lambda _: [Problem("model_not_found", "The model small does not exist.")]
    household.drop("reviews/may.csv", csv_of(NINE))
    async with household.at_rest() as daemon:
        [job_id] = await daemon.context.store.jobs.ids()
        job = await daemon.context.store.jobs.get(job_id)
        assert job.state == "failed"
        assert "The model small does not exist." in (job.reason or "")
        assert household.outbox() == {}
        household.service.refuse = lambda _: []
        await order(daemon, "retry", job_id)
        await daemon.drain()
    assert statuses(household) == ["ok"] * 9


async def order(daemon: Living, kind: str, target: str, data: str = "{}") -> None:
    """What the command line leaves in the store."""

    def change(tx: object) -> None:
        tx.insert("orders", [{"at": 0.0, "kind": kind, "target": target, "data": data}])  # type: ignore[attr-defined]

    await daemon.context.store.database.write(change)


async def test_rows_that_stay_unanswered_fail_after_their_attempts(make_household: MakeHousehold) -> None:
    household = make_household(
        service=FakeService(lambda _: Failure("server_error", "Busy.", transient=True)), routes=(route(attempts=2),)
    )
    await run(household, ["one", "two"])
    assert statuses(household) == ["failed", "failed"]
    text = household.outbox()["reviews/may.results.csv"].decode()
    assert "Busy. (asked 2 times)" in text
    assert household.service.creates == 2


async def test_a_create_that_is_refused_is_judged_like_a_failed_batch(make_household: MakeHousehold) -> None:
    class Refusing(FakeProvider):
        refused = False

        async def submit(self, submission: Submission) -> str:
            if not self.refused:
                self.refused = True
                raise SubmissionRefused("no", problems=[Problem("invalid", "Line 1 is bad.", line=1)])
            return await super().submit(submission)

    service = FakeService()
    household = make_household(service=service, provider=Refusing(service))
    await run(household, ["one", "two"])
    assert statuses(household) == ["failed", "ok"]


@pytest.mark.slow
async def test_a_refused_key_makes_jobs_wait_and_a_restored_one_goes_on(make_household: MakeHousehold) -> None:
    class Locked(FakeProvider):
        refuse = True

        async def upload(self, submission: Submission) -> str:
            if self.refuse:
                raise RejectedError("The key is refused.")
            return await super().upload(submission)

    service = FakeService()
    provider = Locked(service)
    household = make_household(service=service, provider=provider)
    household.drop("reviews/may.csv", csv_of(NINE))
    async with household.living() as daemon:
        await daemon.take_in()
        await daemon.steps(20)
        conditions = await daemon.context.store.event_log.conditions()
        assert "The key is refused." in conditions[Subject.provider("fake")]
        provider.refuse = False
        await daemon.drain()
        assert await daemon.context.store.event_log.conditions() == {}
    assert statuses(household) == ["ok"] * 9


async def test_an_expired_batch_keeps_its_answers_and_asks_the_rest_again(make_household: MakeHousehold) -> None:
    class Expiring(FakeProvider):
        async def poll(self, batch: RemoteBatch) -> BatchStatus:
            ours = self.service.batches[batch.id]
            if batch.id == "batch-1" and not ours.phase.ended:
                ours.phase = BatchPhase.EXPIRED
                for lost in ours.lines[4:]:
                    del self.service.executed[lost.custom_id]
                del ours.lines[4:]
            return await super().poll(batch)

    service = FakeService()
    household = make_household(service=service, provider=Expiring(service))
    await run(household)
    assert statuses(household) == ["ok"] * 9
    assert set(service.executed.values()) == {1}
    assert len(service.batches) == 2


async def test_doubles_at_the_provider_are_all_used_and_the_younger_is_cancelled(make_household: MakeHousehold) -> None:
    class Doubling(FakeProvider):
        async def submit(self, submission: Submission) -> str:
            await super().submit(submission)
            second = await super().submit(submission)
            self.service.batches[second].lines.clear()
            raise TransientError("cut")

    service = FakeService()
    household = make_household(service=service, provider=Doubling(service))
    await run(household)
    assert statuses(household) == ["ok"] * 9
    assert service.batches["batch-2"].phase == BatchPhase.CANCELLED
    assert service.creates == 2


async def test_a_provider_that_cannot_look_up_holds_the_batch_for_a_person(make_household: MakeHousehold) -> None:
    class Forgetful(FakeProvider):
        cut = True

        async def submit(self, submission: Submission) -> str:
            remote = await super().submit(submission)
            if self.cut:
                self.cut = False
                raise TransientError("cut")
            return remote

        async def find(self, submission: Submission) -> Sequence[str]:
            raise CannotFind("This service has no list of batches.")

    service = FakeService()
    household = make_household(service=service, provider=Forgetful(service))
    household.drop("reviews/may.csv", csv_of(NINE))
    async with household.at_rest() as daemon:
        held = [event for event in household.events if event.kind == "BatchHeld"]
        assert "--found ID" in held[0].sentence
        assert "--absent" in held[0].sentence
        assert service.creates == 1
        # Mistyped: taken at its word, it would count as vanished in the end, and be asked and paid again.
        await order(daemon, "resolve", str(held[0].batch), '{"found": "batch-l"}')
        await daemon.drain()
        assert service.creates == 1
        assert "BatchFound" not in [event.kind for event in household.events]
        await order(daemon, "resolve", str(held[0].batch), '{"found": "batch-1"}')
        await daemon.drain()
    assert statuses(household) == ["ok"] * 9
    assert service.creates == 1


@pytest.mark.field("creates of unknown outcome")
@pytest.mark.parametrize("created", [True, False])
async def test_what_only_time_can_tell_is_waited_for(make_household: MakeHousehold, created: bool) -> None:
    looks: list[float] = []

    class Silent(FakeProvider):
        cut, ended = True, False

        async def submit(self, submission: Submission) -> str:
            cut, self.cut = self.cut, False
            remote = await super().submit(submission) if created or not cut else ""
            if cut:
                raise TransientError("cut")
            return remote

        async def find(self, submission: Submission) -> Sequence[str]:
            if not self.ended:
                looks.append(household.clock.steady())
                raise NotKnownYet("It shows only at the end of the batch.")
            return await super().find(submission)

    service = FakeService()
    provider = Silent(service)
    household = make_household(service=service, provider=provider)
    household.drop("reviews/may.csv", csv_of(NINE))
    async with household.living() as daemon:
        await daemon.take_in()
        for _ in range(200):
            await daemon.step()
            if len(looks) == 4:
                break
        assert [round(later - sooner) for sooner, later in pairwise(looks)] == [300, 300, 300]
        assert service.creates == created
        [said] = (await daemon.context.store.event_log.conditions()).values()
        assert "It shows only at the end of the batch. Its rows wait" in said
        provider.ended = True
        await daemon.drain()
        assert not await daemon.context.store.event_log.conditions()
    assert not [event for event in household.events if event.kind == "BatchHeld"]
    assert statuses(household) == ["ok"] * 9
    assert service.creates == 1
    assert set(service.executed.values()) == {1}


@pytest.mark.field("creates of unknown outcome")
@pytest.mark.parametrize("created", [True, False], ids=["found", "absent"])
async def test_a_person_may_say_sooner_what_time_would_tell(make_household: MakeHousehold, created: bool) -> None:
    class Silent(FakeProvider):
        cut = True

        async def submit(self, submission: Submission) -> str:
            cut, self.cut = self.cut, False
            remote = await super().submit(submission) if created or not cut else ""
            if cut:
                raise TransientError("cut")
            return remote

        async def find(self, submission: Submission) -> Sequence[str]:
            raise NotKnownYet("It shows only at the end of the batch.")

    service = FakeService()
    household = make_household(service=service, provider=Silent(service))
    household.drop("reviews/may.csv", csv_of(NINE))
    async with household.living() as daemon:
        await daemon.take_in()
        while not (said := str(await daemon.context.store.event_log.conditions())).count("resolve"):
            await daemon.step()
        [job] = await daemon.context.store.jobs.ids()
        [batch] = await daemon.context.store.batches.of_job(job)
        assert f"`batchd resolve {batch.key} --found ID`" in said
        found = next(iter(service.batches), None)
        await order(daemon, "resolve", batch.key, json.dumps({"found": found}))
        await daemon.drain()
        assert not await daemon.context.store.event_log.conditions()
    assert statuses(household) == ["ok"] * 9
    assert service.creates == 1
    assert set(service.executed.values()) == {1}


async def test_a_cancelled_job_delivers_what_it_has_and_marks_the_rest_as_skipped(
    make_household: MakeHousehold,
) -> None:
    household = make_household(limits=Limits(max_requests=3))
    household.drop("reviews/may.csv", csv_of(NINE))
    async with household.living() as daemon:
        await daemon.take_in()
        while household.service.creates < 1:
            await daemon.step()
        [job_id] = await daemon.context.store.jobs.ids()
        await order(daemon, "cancel", job_id)
        await daemon.drain()
        assert (await daemon.context.store.jobs.get(job_id)).state == "cancelled"
    assert statuses(household).count("ok") >= 3
    assert set(statuses(household)) == {"ok", "skipped"}
    assert household.report("reviews/may.report.json")["rows"]["total"] == 9


async def test_retry_of_a_finished_job_asks_only_what_failed(make_household: MakeHousehold) -> None:
    broken = True
    service = FakeService(
        lambda body: Failure("refused", "No.") if broken and body["messages"][0]["content"] == "two" else "fine"
    )
    household = make_household(service=service)
    await run(household, ["one", "two"])
    assert statuses(household) == ["ok", "failed"]
    broken = False
    async with household.living() as daemon:
        [job_id] = await daemon.context.store.jobs.ids()
        await order(daemon, "retry", job_id)
        await daemon.drain()
    assert statuses(household, "reviews/may (2).results.csv") == ["ok", "ok"]
    assert set(service.executed.values()) == {1}


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        ("", "empty", "empty"),
        ("id,review\n", "no_rows", "no rows"),
        ("id,text\n1,fine\n", "columns", "“review”"),
    ],
)
async def test_a_file_that_cannot_be_taken_comes_back_with_the_reason(
    make_household: MakeHousehold, content: str, code: str, words: str
) -> None:
    household = make_household()
    household.drop("reviews/bad.csv", content)
    await household.work()
    rejected = household.folders.rejected / "reviews"
    assert (rejected / "bad.csv").read_text() == content
    why = (rejected / "bad.csv.why.txt").read_text()
    assert words in why
    assert f"(reason {code}, job " in why
    assert household.outbox() == {}


async def test_a_file_that_no_route_takes_comes_back_with_where_to_drop_it(make_household: MakeHousehold) -> None:
    household = make_household()
    household.drop("stray.csv", csv_of(["one"]))
    await household.work()
    assert "reviews/**" in (household.folders.rejected / "stray.csv.why.txt").read_text()


@pytest.mark.field("folders")
async def test_a_file_that_nobody_knows_rests_before_it_is_rejected(make_household: MakeHousehold) -> None:
    household = make_household()
    stray = household.drop("may.csv.xyzdownload", b"half of")
    async with household.at_rest() as daemon:
        assert stray.exists()
        [sentence] = (await daemon.context.store.event_log.conditions()).values()
        assert "five minutes" in sentence
        household.clock.advance(200.0)
        stray.write_bytes(b"half of it")  # still at work
        await daemon.take_in()
        household.clock.advance(200.0)
        await daemon.take_in()
        assert stray.exists()
        household.clock.advance(150.0)
        await daemon.work()
        assert await daemon.context.store.event_log.conditions() == {}
    assert (household.folders.rejected / "may.csv.xyzdownload").read_bytes() == b"half of it"


@pytest.mark.field("folders")
async def test_a_file_that_a_plugin_which_is_kept_off_may_read_waits_and_is_told_of(
    make_household: MakeHousehold,
) -> None:
    household = make_household()
    stray = household.drop("may.abc", b"a table")
    async with household.living() as daemon:
        daemon.reconfigure(not_loaded=("abc-tables", "xyz-tables"))
        await daemon.take_in()
        household.clock.advance(10_000.0)
        await daemon.work()
        assert stray.exists()
        [sentence] = (await daemon.context.store.event_log.conditions()).values()
        assert "five minutes" not in sentence
        assert "waits in the inbox" in sentence
        assert sentence.endswith("which are kept off, may read it: abc-tables, xyz-tables.")
        daemon.reconfigure(not_loaded=())
        await daemon.work()
        assert await daemon.context.store.event_log.conditions() == {}
    assert (household.folders.rejected / "may.abc").exists()


async def test_a_name_that_is_taken_gets_a_number_and_nothing_is_overwritten(make_household: MakeHousehold) -> None:
    household = make_household()
    theirs = household.folders.outbox / "reviews" / "may.results.csv"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("theirs")
    await run(household, ["one"])
    await run(household, ["two"])
    assert theirs.read_text() == "theirs"
    assert statuses(household, "reviews/may (2).results.csv") == ["ok"]
    assert statuses(household, "reviews/may (3).results.csv") == ["ok"]
    archived = sorted(path.name for path in (household.folders.archive / "reviews").iterdir())
    assert archived == ["may (2).csv", "may.csv"]


async def test_small_jobs_share_a_batch_and_a_big_one_is_cut(make_household: MakeHousehold) -> None:
    household = make_household(limits=Limits(max_requests=4), routes=(route(part_rows=2),))
    for name in ("a", "b"):
        household.drop(f"reviews/{name}.csv", csv_of([name]))
    household.drop("reviews/c.csv", csv_of(NINE))
    await household.work()
    sizes = [len(batch.lines) for batch in household.service.batches.values()]
    assert sum(sizes) == 11
    assert max(sizes) <= 4
    assert len(sizes) <= 5
    for name in "abc":
        assert set(statuses(household, f"reviews/{name}.results.csv")) == {"ok"}


async def test_more_failed_rows_than_allowed_make_the_job_count_as_failed(make_household: MakeHousehold) -> None:
    service = FakeService(lambda body: Failure("refused", "No.") if content({"body": body}) == "two" else "fine")
    household = make_household(service=service, routes=(route(max_failed=0.4),))
    await run(household, ["one", "two"])
    assert statuses(household) == ["ok", "failed"]
    assert household.report("reviews/may.report.json")["outcome"] == "failed"
    async with household.living() as daemon:
        [job_id] = await daemon.context.store.jobs.ids()
        job = await daemon.context.store.jobs.get(job_id)
    assert (job.state, job.reason_code) == ("done", "max_failed")


@pytest.mark.slow
async def test_a_batch_that_vanishes_is_waited_for_and_then_asked_again(make_household: MakeHousehold) -> None:
    class Losing(FakeProvider):
        async def poll(self, batch: RemoteBatch) -> BatchStatus:
            if batch.id == "batch-1":
                raise RemoteMissing("No such batch.")
            return await super().poll(batch)

        async def download(self, batch: RemoteBatch, target: IO[bytes]) -> None:
            if batch.id != "batch-1":
                await super().download(batch, target)

    service = FakeService()
    household = make_household(service=service, provider=Losing(service))
    before = household.clock.steady()
    await run(household)
    assert household.clock.steady() - before > 3_600, "believed too soon"
    assert statuses(household) == ["ok"] * 9
    assert service.creates == 2


async def test_a_batch_that_is_missing_for_a_moment_is_not_given_up(make_household: MakeHousehold) -> None:
    class Blinking(FakeProvider):
        missing = 3

        async def poll(self, batch: RemoteBatch) -> BatchStatus:
            if self.missing:
                self.missing -= 1
                raise RemoteMissing("No such batch.")
            return await super().poll(batch)

    service = FakeService()
    household = make_household(service=service, provider=Blinking(service))
    await run(household)
    assert statuses(household) == ["ok"] * 9
    assert service.creates == 1


async def test_requests_that_were_written_anew_since_they_were_planned_are_planned_again(
    make_household: MakeHousehold,
) -> None:
    """By a machine that was thought dead and goes on: what was admitted is sent, and nothing else."""
    household = make_household()
    household.drop("reviews/may.csv", csv_of(NINE))
    written = 0
    async with household.living() as daemon:
        await daemon.take_in()
        while (action := await daemon.step()) is not None:
            if isinstance(action, Pack) and not written:
                for path in (household.folder / "state/jobs").glob("*/parts/*.requests.1.jsonl"):
                    path.write_bytes(path.read_bytes().replace(b"review", b"another review"))
                    written += 1
    assert written
    assert statuses(household) == ["ok"] * 9
    asked = [content(request) for requests in household.service.files.values() for request in requests]
    assert sorted(asked) == NINE


async def test_requests_that_are_gone_are_planned_again_and_hold_up_no_other_file(
    make_household: MakeHousehold,
) -> None:
    """Somebody deleted the file, or the disk had not kept it."""
    household = make_household()
    household.drop("reviews/may.csv", csv_of(NINE))
    household.drop("reviews/june.csv", csv_of(["sunny", "rainy"]))
    deleted = False
    async with household.living() as daemon:
        await daemon.take_in()
        for _ in range(200):
            action = await daemon.step()
            if isinstance(action, Pack) and not deleted:
                [path, *_] = sorted((household.folder / "state/jobs").glob("*/parts/*.requests.1.jsonl"))
                path.unlink()
                deleted = True
            if action is None:
                break
    assert deleted
    assert statuses(household) == ["ok"] * 9
    assert statuses(household, "reviews/june.results.csv") == ["ok"] * 2
    assert household.service.executed.total() == 11
