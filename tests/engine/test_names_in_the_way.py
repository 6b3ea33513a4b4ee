"""Files that stand where a sink would publish: another name is taken, once for each of them, or it is said who is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from batchd.contracts import DeliveryJob, ResultRows, Settings, Sink
from batchd.domain.subjects import Subject
from batchd.testing.household import Living

from .conftest import MakeHousehold, csv_of, route


class Strange(Sink[Settings]):
    """Publishes under a suffix that batchd knows nothing of when it looks for a name that is free."""

    suffix = ".strange"

    def __init__(self) -> None:
        super().__init__(Settings())
        self.tries = 0

    async def publish(self, job: DeliveryJob, rows: ResultRows) -> None:
        self.tries += 1
        with job.outbox.publishing(self.suffix) as file:
            file.write(job.id.encode())


class Twice(Strange):
    """Publishes two files under one suffix."""

    async def publish(self, job: DeliveryJob, rows: ResultRows) -> None:
        await super().publish(job, rows)
        with job.outbox.publishing(self.suffix) as file:
            file.write(b"something else")


class Elsewhere(Strange):
    """Puts its files where no outbox is, and finds them there already."""

    async def publish(self, job: DeliveryJob, rows: ResultRows) -> None:
        self.tries += 1
        raise FileExistsError(17, "File exists", "/somewhere/else")


async def trouble(daemon: Living, sink: str) -> str:
    """Work until it is said that this sink is in trouble: in which words."""
    while (subject := Subject.sink(sink)) not in (said := await daemon.context.store.event_log.conditions()):
        await daemon.step()
    return said[subject]


async def test_each_file_in_the_way_costs_one_name_and_none_is_tried_again(make_household: MakeHousehold) -> None:
    sink = Strange()
    household = make_household(sinks={"strange": sink}, routes=(route(sinks=("csv", "strange")),))
    reviews = household.folders.outbox / "reviews"
    reviews.mkdir(parents=True)
    in_the_way = [reviews / name for name in ("may.strange", "may (2).strange", "may (3).strange")]
    for file in in_the_way:
        file.write_text("of last year")
    household.drop("reviews/may.csv", csv_of(["one"]))
    async with household.living() as daemon:
        await daemon.take_in()
        await daemon.drain(most=100)
        assert await daemon.context.store.event_log.conditions() == {}
    assert sink.tries == 4
    assert [file.read_text() for file in in_the_way] == ["of last year"] * 3
    assert {"may (4).results.csv", "may (4).strange", "may (4).report.json"} <= names(reviews)
    assert "may.report.json" not in names(reviews)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.slow
async def test_two_sinks_that_publish_the_same_file_are_named_and_the_first_one_stands(
    make_household: MakeHousehold,
) -> None:
    sink = Strange()
    sink.suffix = ".results.csv"
    household = make_household(sinks={"strange": sink}, routes=(route(sinks=("csv", "strange")),))
    household.drop("reviews/may.csv", csv_of(["one"]))
    async with household.living() as daemon:
        await daemon.take_in()
        begun = household.clock.steady()
        said = await trouble(daemon, "strange")
        await daemon.steps(20)
    assert "csv and strange" in said
    assert "reviews/may.results.csv" in said
    assert set(household.outbox()) == {"reviews/may.results.csv"}
    assert household.clock.steady() - begun > 3_600, "it is tried again, less and less often"


async def test_a_sink_that_contradicts_itself_takes_no_names(make_household: MakeHousehold) -> None:
    sink = Twice()
    household = make_household(sinks={"strange": sink}, routes=(route(sinks=("strange",)),))
    household.drop("reviews/may.csv", csv_of(["one"]))
    async with household.living() as daemon:
        await daemon.take_in()
        assert "two files" in await trouble(daemon, "strange")
    assert set(household.outbox()) == {"reviews/may.strange"}


async def test_a_file_in_the_way_elsewhere_is_no_reason_for_another_name(make_household: MakeHousehold) -> None:
    sink = Elsewhere()
    household = make_household(sinks={"strange": sink}, routes=(route(sinks=("csv", "strange")),))
    household.drop("reviews/may.csv", csv_of(["one"]))
    async with household.living() as daemon:
        await daemon.take_in()
        assert "/somewhere/else" in await trouble(daemon, "strange")
    assert sink.tries == 3
    assert set(household.outbox()) == {"reviews/may.results.csv"}
