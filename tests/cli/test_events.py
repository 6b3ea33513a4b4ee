"""`batchd events`: the story of a job, at three in the morning."""

from __future__ import annotations

import re
from pathlib import Path

from batchd.domain.lifecycle import Submit
from batchd.domain.records import JobState
from batchd.domain.subjects import Subject
from batchd.testing.household import Living

from .cli_kit import House, after, drain, finished_house, half_way, here


def test_a_sentence_a_line_with_the_time(tmp_path: Path) -> None:
    house, job = finished_house(tmp_path / "house")
    lines = here("events", job, config=house.config).out.splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  \S", line) for line in lines)
    sentences = [line[21:] for line in lines]
    assert sentences[0] == "Received reviews/may.csv (45 bytes)."
    assert any(sentence.startswith("Sent 5 questions to ") for sentence in sentences)
    assert (
        sentences[-1] == "Finished reviews/may.csv: 4 ok, 1 failed (1 refused). The report is reviews/may.report.json."
    )


def test_for_machines(tmp_path: Path) -> None:
    house, job = finished_house(tmp_path / "house")
    records = here("events", "may.csv", "--json", config=house.config).json()
    assert all(set(each) == {"at", "kind", "job", "batch", "severity", "sentence", "data"} for each in records)
    assert records[0]["kind"] == "JobClaimed"
    assert records[0]["job"] == job
    assert records[0]["data"] == {"source": "reviews/may.csv", "route": "reviews", "size": 45}
    [submitted] = [each for each in records if each["kind"] == "BatchSubmitted"]
    assert submitted["job"] is None
    assert submitted["batch"] is not None


def test_only_what_concerns_the_job(tmp_path: Path) -> None:
    house, first = finished_house(tmp_path / "house")
    second = house.run("reviews/june.csv", ["other"])
    text = here("events", second, config=house.config).out
    assert "may.csv" not in text
    assert "june.csv" not in here("events", first, config=house.config).out


def test_what_kept_it_waiting_is_part_of_its_story(tmp_path: Path) -> None:
    house = House(tmp_path / "house")

    async def before(living: Living) -> None:
        await living.context.store.event_log.raise_condition(Subject.provider("fake"), "It was down in March.")
        await living.context.store.event_log.clear_condition(Subject.provider("fake"))

    async def meanwhile(living: Living) -> None:
        await living.context.store.event_log.raise_condition(Subject.provider("other"), "Not ours.")
        await living.context.store.event_log.raise_condition(Subject.provider("fake"), "The key is refused.")
        await living.context.store.event_log.clear_condition(Subject.provider("fake"))
        await drain(living)

    async def later(living: Living) -> None:
        house.clock.advance(60)
        await living.context.store.event_log.raise_condition(Subject.provider("fake"), "It is down again.")

    house.live(before)
    job = house.run("reviews/may.csv", ["good"], until=after(Submit))
    house.live(meanwhile)
    house.live(later)
    text = here("events", job, config=house.config).out
    assert "provider fake: The key is refused." in text
    assert "provider fake: all is well again." in text
    assert "March" not in text
    assert "Not ours" not in text
    assert "down again" not in text


def test_an_event_that_this_version_does_not_know(tmp_path: Path) -> None:
    house, job = finished_house(tmp_path / "house")

    async def tell(living: Living) -> None:
        row = {"at": 1.0, "kind": "JobPainted", "job": job, "batch": None, "data": '{"colour": "green"}'}
        await living.context.store.database.write(lambda tx: tx.insert("events", [row]))

    house.live(tell)
    assert "JobPainted: {'colour': 'green'}" in here("events", job, config=house.config).out
    record = here("events", job, "--json", config=house.config).json()[-1]
    assert (record["kind"], record["severity"], record["data"]) == ("JobPainted", "info", {"colour": "green"})


def test_what_strangers_say_does_not_reach_the_terminal_raw(tmp_path: Path) -> None:
    house, [job] = half_way(tmp_path / "house", "reviews/june.csv")

    async def fail(living: Living) -> None:
        found = await living.context.store.jobs.get(job)
        assert found.state is JobState.RUNNING
        await living.context.store.jobs.failed(found, "odd", "the service said \x1b]0;owned\x07 and\nmore")

    house.live(fail)
    *_, first, second = here("events", job, config=house.config).out.splitlines()
    assert first.endswith(r"reviews/june.csv has stopped: the service said \x1b]0;owned\x07 and")
    assert second == " " * 21 + "more"
