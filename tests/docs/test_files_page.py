"""docs/files.md tells of the files as they are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from batchd import DeliveryJob, Failure, Receipt, ResultRows, RowStatus, Settings, Sink
from batchd.domain import never_taken as ours
from batchd.domain.never_taken import is_conflict_copy, is_never_taken
from batchd.people.language import Language
from batchd.testing.fakes import FakeService
from batchd.testing.household import REVIEWS, Household
from batchd.values import replace

from .pages import DOCS, code, prose, tables

PAGE = DOCS / "files.md"


def paths(value: Any, prefix: str = "") -> Iterator[str]:
    """Every key of a report, as `rows.ok` and `failures[].code`."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from paths(inner, f"{prefix}.{key}" if prefix else key)
    elif isinstance(value, list) and value:
        yield from paths(value[0], f"{prefix}[]")
    else:
        yield prefix


class Database(Sink[Settings]):
    """Says that it has the rows."""

    async def publish(self, job: DeliveryJob, rows: ResultRows) -> Receipt:
        return Receipt("db", table="results", rows=2)


@pytest.fixture
async def household(tmp_path: Path) -> Household:
    """After a file of which one row is refused."""
    service = FakeService(
        lambda body: Failure("refused", "No.") if "bad" in body["messages"][-1]["content"] else "Yes."
    )
    routes = (replace(REVIEWS, sinks=(*REVIEWS.sinks, "db")),)
    household = Household(
        tmp_path / "house", service=service, page_for=Language(), routes=routes, sinks={"db": Database(Settings())}
    )
    household.drop("reviews/may.csv", "id,review\n1,good\n2,bad\n")
    household.drop("reviews/empty.csv", "")
    async with household.living() as living:
        await living.take_in()
        await living.drain()
    return household


async def test_the_report_is_described_key_by_key(household: Household) -> None:
    described = [code(row[0]) for row in tables(PAGE)["The report"]]
    report = household.report("reviews/may.report.json")
    reading = {f"reading.{key}" for key in report["reading"]}
    assert (set(paths(report)) - reading) | {"reading"} == set(described)
    assert reading == {"reading.encoding", "reading.delimiter"}
    assert len(described) == len(set(described))


async def test_the_files_are_those_of_the_first_table(household: Household) -> None:
    told = {code(row[1]) for row in tables(PAGE)["Files: what goes in, what comes out"]} - {None}
    there = {f"outbox/{name}" for name in household.outbox()} | {
        str(path.relative_to(household.folder))
        for folder in (household.folders.archive, household.folders.rejected)
        for path in folder.rglob("*")
        if path.is_file()
    }
    assert there == told | {"rejected/reviews/empty.csv", "rejected/reviews/empty.csv.why.txt"}
    assert household.outbox()["reviews/may.failed.csv"] == b"id,review\n2,bad\n"


def test_the_statuses_are_described() -> None:
    assert [code(row[0]) for row in tables(PAGE)["The results"]] == [status.value for status in RowStatus]


def test_the_temporary_names_are_those_that_are_passed_over() -> None:
    listed = prose(PAGE).partition("These names are never taken")[2].partition("Links, pipes")[0]
    starts, ends, names, *others = (re.findall(r"`([^`]+)`", line) for line in listed.split("\n- ")[1:])
    assert all(is_never_taken(f"{start}may.csv") for start in starts)
    assert all(is_never_taken(f"may.csv{end}") for end in ends)
    assert all(is_never_taken(name) and is_never_taken(f"{name}/may.csv") for name in names)
    assert (set(starts), {end.lower() for end in ends}) == (set(ours.STARTS), set(ours.ENDS))
    assert {name.lower() for name in names} == ours.NAMES - {"icon\r"}
    assert all(is_never_taken(name) for name in others[0])
    assert all(is_conflict_copy(f"may ({part}).csv") for part in others[1][:2])


@pytest.mark.parametrize("line", ["cp may.csv inbox/reviews/.may.csv.part"])
def test_the_way_to_drop_a_file_is_safe(line: str) -> None:
    text = PAGE.read_text("utf-8")
    assert line in text
    assert is_never_taken(line.rpartition(" ")[2])
