"""The question beside the data: asked as it was when the file was taken, and looked at by a person when it changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from batchd.domain.questions import PLACEHOLDER, with_question
from batchd.domain.records import JobState
from batchd.domain.routing import PluginSpec, Route
from batchd.engine.steps.approve import approve
from batchd.testing.household import REVIEWS, Household
from batchd.values import replace

pytestmark = pytest.mark.field("questions")

ROUTE = replace(
    REVIEWS,
    questions="folder",
    prompt=PluginSpec("template", {"user": PLACEHOLDER, "system": "Be brief.", "columns": ["kept"]}),
)
CSV = "id,review\n0,good\n"
QUESTION = "reviews/question.md"


def questioned(content: str, route: Route = ROUTE) -> Route:
    return with_question(route, "reviews", content.encode())


async def test_the_question_of_the_folder_is_asked(tmp_path: Path) -> None:
    house = Household(tmp_path, routes=[ROUTE])
    house.drop(QUESTION, "\ufeffIs {{ review }} kind?\r\n")
    house.drop("reviews/may.csv", CSV)
    house.drop("reviews/deep/may.csv", CSV)
    house.drop("reviews/own/may.csv", CSV)
    house.drop("reviews/own/QUESTION.md", "not this one")
    house.drop("reviews/own/question.md", "Rate it.")
    await house.work()
    # The same bytes with the same question are not asked again.
    assert sorted(house.asked()) == ["Is good kind?", "Rate it.\n\nid: 0\nreview: good\n"]
    report = house.report("reviews/deep/may.report.json")
    assert report["question"]["text"] == "Is {{ review }} kind?"
    assert (report["question"]["folder"], len(report["question"]["sha256"])) == ("reviews", 64)
    left = sorted(each.name for each in (tmp_path / "inbox").rglob("*") if each.is_file())
    assert left == ["QUESTION.md", "question.md", "question.md"]
    assert house.outbox()["reviews/may.results.csv"].decode().startswith("id,review,kept,")


async def test_a_file_without_a_question_waits_and_is_handed_back(tmp_path: Path) -> None:
    house = Household(tmp_path, routes=[ROUTE])
    file = house.drop("reviews/may.csv", CSV)
    house.drop("reviews/bad/question.md", "+++\nmodel = 'dear'\n+++\nIs it?")
    house.drop("reviews/bad/may.csv", CSV)
    async with house.at_rest() as living:
        assert file.exists()
        waits = [str(text) for text in (await living.context.store.event_log.conditions()).values()]
        assert any("There is no question for this file. Write one into question.md" in each for each in waits)
        house.clock.advance(301)
        await living.work()
    assert not file.exists()
    assert not house.asked()
    why = {each.parent.name: each.read_text() for each in (tmp_path / "rejected").rglob("*.why.txt")}
    assert "Write one into question.md in the folder reviews" in why["reviews"]
    assert "“model” cannot be set in it, only columns, separator, schema" in why["bad"]


async def test_a_question_that_is_still_written_is_waited_for(tmp_path: Path) -> None:
    house = Household(tmp_path, routes=[ROUTE])
    house.drop("reviews/may.csv", CSV)
    async with house.living() as living:
        await living.intake.look()
        house.drop(QUESTION, "Is it")
        house.clock.advance(1.5)
        await living.intake.look()
        house.drop(QUESTION, "Is {{ review }} kind?")
        house.clock.advance(0.9)
        assert (await living.intake.look()).again_in is not None
        assert not await living.context.store.jobs.ids()
        await living.work()
    assert house.asked() == ["Is good kind?"]


async def test_a_changed_question_holds_the_next_job_once(tmp_path: Path) -> None:
    house = Household(tmp_path, routes=[ROUTE])
    house.drop(QUESTION, "Is {{ review }} kind?")
    house.drop("reviews/may.csv", CSV)
    async with house.at_rest() as living:
        house.drop(QUESTION, "Is {{ review }} rude?")
        # The same bytes: the answers to another question are none to this one.
        house.drop("reviews/may.csv", CSV)
        house.drop("reviews/june.csv", CSV + "1,bad\n")
        await living.work()
        assert house.asked() == ["Is good kind?"]
        held = [await living.context.store.jobs.get(each) for each in sorted(await living.context.store.jobs.ids())]
        held = [job for job in held if job.state is JobState.HELD]
        assert len(held) == 2
        notes = [each.read_text() for each in (tmp_path / "held").rglob("*.held.txt")]
        assert all("the question in reviews/question.md has changed" in each for each in notes)
        assert "is approved" in await approve(living.context, held[0], None)
        await living.drain()
        house.drop("reviews/july.csv", CSV + "2,odd\n")
        await living.work()
    assert sorted(house.asked()) == ["Is bad rude?", "Is good kind?", *["Is good rude?"] * 3, "Is odd rude?"]


def test_the_front_matter_holds_the_form_of_the_answer_and_nothing_else() -> None:
    settings = questioned('+++\ncolumns = ["a", "b"]\nseparator = "|"\n+++\n\nIs {{ x }}?\n').prompt.settings
    assert settings == {"system": "Be brief.", "user": "Is {{ x }}?", "columns": ["a", "b"], "separator": "|"}
    strict = replace(ROUTE, prompt=PluginSpec("template", {"user": "x", "regex": "(?P<a>b)", "schema_mode": "prompt"}))
    schema = questioned("+++\n[schema.properties.mood]\ntype = 'string'\n+++\n{{ x }}", strict).prompt.settings
    assert schema == {
        "user": "{{ x }}",
        "schema": {"properties": {"mood": {"type": "string"}}},
        "schema_mode": "prompt",
    }
    assert questioned("{{ x }}", strict).prompt.settings["regex"] == "(?P<a>b)"
    faults = {
        "": "holds no question",
        "+++\n+++\n \n": "holds no question",
        "+++\ncolumns = []\n": "has no +++ that ends it",
        "+++\ncolumns: [a]\n+++\nx": "is not TOML",
        "---\ncolumns: [a]\n---\nx": "begins with ---",
        "+++\nplugin = 'passthrough'\n+++\nx": "“plugin” cannot be set in it",
        "x" * 70_000: "may have 65,536",
    }
    for content, words in faults.items():
        fault = questioned(content).question
        assert fault is not None
        assert words in fault["fault"], content[:50]
    half = with_question(ROUTE, "reviews", b"\xff").question
    assert half is not None
    assert "not UTF-8" in half["fault"]


async def test_a_question_that_is_no_template_is_handed_back_in_words(tmp_path: Path) -> None:
    house = Household(tmp_path, routes=[ROUTE])
    house.drop(QUESTION, "Is {{ review ?")
    house.drop("reviews/may.csv", CSV)
    await house.work()
    [why] = [each.read_text() for each in (tmp_path / "rejected").rglob("*.why.txt")]
    assert "question.md cannot be asked: user: Line 1 of the template is not understood" in why
