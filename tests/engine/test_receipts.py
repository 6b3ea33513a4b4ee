"""What a sink says of the place where it has put the rows is kept, and shown in status, report and page."""

from __future__ import annotations

from typing import Any

from batchd.cli.showing.status_job import job_lines
from batchd.contracts import DeliveryJob, Receipt, ResultRows, Settings, Sink
from batchd.people.language import Language
from batchd.secrets.known import remember
from batchd.status.overview import JobDetails
from batchd.status.places import Places
from batchd.testing.household import Household

from .conftest import MakeHousehold, csv_of, route


class Elsewhere(Sink[Settings]):
    """Takes the rows and says this of them."""

    def __init__(self, says: Any) -> None:
        super().__init__(Settings())
        self.says = says

    async def publish(self, job: DeliveryJob, rows: ResultRows) -> Receipt | None:
        count = [row.number async for row in rows]
        assert len(count) == 2
        answer: Receipt | None = self.says
        return answer


def places_of(household: Household) -> Places:
    folder, folders = household.folder, household.folders
    return Places(folder / "c", folder / "state", folders.outbox, folders.archive, folders.rejected, "USD")


async def test_a_receipt_is_shown_wherever_people_look_for_results(make_household: MakeHousehold) -> None:
    remember("hunter2-of-the-house")
    receipt = Receipt("postgresql://batchd:hunter2-of-the-house@db/shop", table="<results>", rows=1_234)
    sinks = {"db": Elsewhere(receipt), "odd": Elsewhere("stored!"), "mute": Elsewhere(None)}
    household = make_household(routes=(route(sinks=("csv", *sinks)),), sinks=sinks, page_for=Language("vi"))
    household.drop("reviews/may.csv", csv_of(["good", "bad"]))
    async with household.at_rest() as daemon:
        [job] = await daemon.context.store.jobs.ids()
        details = JobDetails.take(places_of(household), job)
    shown = {"sink": "db", "where": "postgresql://batchd:…@db/shop", "table": "<results>", "rows": 1_234}
    assert details.record()["job"]["receipts"] == [shown]
    line = "db: postgresql://batchd:…@db/shop, table <results> (1,234 rows)"
    assert any(line in each for each in job_lines(details))
    assert household.report("reviews/may.report.json")["receipts"] == [shown]
    page = household.outbox()["reviews/may.report.html"].decode()
    assert "postgresql://batchd:…@db/shop, bảng &lt;results&gt;" in page
    assert "1.234 dòng" in page
    sentences = [event.sentence for event in household.events if event.kind == "JobDelivered"]
    assert f"The sink db has put the results into {line.removeprefix('db: ')}." in sentences
    assert "The sink odd has the results." in sentences
