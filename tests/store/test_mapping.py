"""Records come out of the database as they went in."""

from __future__ import annotations

import asyncio
import dataclasses
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchd.domain.records import Asked, Batch, BatchState, HeldFor, Job, JobState, Moment, Part, PartState, Trial
from batchd.domain.routing import PluginSpec, Route
from batchd.model import BatchPhase, Dialect, Usage
from batchd.money.hours import HourSpan
from batchd.money.lanes import Lane
from batchd.money.pricing import HourRates, Rates, Step, Terms
from batchd.store.database import Database
from batchd.store.tables.mapping import batch_of, columns_of, job_of, part_of
from batchd.testing.empty_database import put_empty_database

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NAME = st.text(alphabet="abcdef0123456789", min_size=1, max_size=8)
COUNT = st.integers(0, 2**62)
TIME = st.floats(0, 4e9)
SOMETIME = st.none() | TIME
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
TABLE = st.dictionaries(TEXT, JSON, max_size=3)
MOMENT = st.none() | st.builds(Moment, at=TIME, steady=TIME, boot=TEXT)
USAGE = st.builds(Usage, COUNT, COUNT, COUNT) | st.builds(Usage, COUNT, COUNT, COUNT, COUNT, COUNT)
STEPS = st.lists(st.builds(Step, COUNT, COUNT, COUNT, COUNT), max_size=2).map(tuple)
RATES = st.builds(Rates, COUNT, COUNT, COUNT, STEPS)
SPANS = st.sampled_from([HourSpan.read(text) for text in ("10:00-24:00", "Sat-Sun", "Mon-Fri 04:00-06:00")])
BY_HOUR = st.lists(st.builds(HourRates, st.lists(SPANS, max_size=2).map(tuple), RATES), max_size=2).map(tuple)
TERMS = st.builds(Terms, RATES, RATES, TEXT, TEXT, BY_HOUR)
DIALECTS = st.none() | st.builds(
    Dialect,
    encoding=TEXT,
    mark=st.booleans(),
    delimiter=TEXT,
    quote=TEXT,
    escape=st.none() | TEXT,
    line_end=TEXT,
    declared=st.booleans(),
)
ASKED = st.builds(PluginSpec, TEXT, TABLE)
ROUTES = st.builds(
    Route,
    name=TEXT,
    match=st.lists(TEXT, max_size=2).map(tuple),
    provider=TEXT,
    model=TEXT,
    prompt=ASKED,
    params=TABLE,
    sinks=st.lists(TEXT, max_size=2).map(tuple),
    reader=st.none() | ASKED,
    reuse=st.none() | st.floats(0, 1e9),
)
JOBS = st.builds(
    Job,
    id=NAME,
    state=st.sampled_from(JobState),
    source=TEXT,
    inbox_path=st.binary(max_size=20),
    stamp=st.tuples(COUNT, COUNT, COUNT, COUNT),
    route=ROUTES,
    size=COUNT,
    claimed_at=TIME,
    rows=st.none() | COUNT,
    columns=st.lists(TEXT, max_size=3),
    answer_columns=st.lists(TEXT, max_size=3),
    sha256=st.none() | NAME,
    description=TABLE,
    dialect=DIALECTS,
    reason_code=st.none() | TEXT,
    reason=st.none() | TEXT,
    cancelled=st.booleans(),
    worker_crashes=COUNT,
    retry_round=COUNT,
    outbox_stem=st.none() | TEXT,
    archive_name=st.none() | TEXT,
    estimated_cost=st.none() | COUNT,
    terms=st.none() | TERMS,
    approved=st.none() | COUNT,
    note=st.none() | TEXT,
    accepted_at=SOMETIME,
    planned_at=SOMETIME,
    collected_at=SOMETIME,
    finished_at=SOMETIME,
    swept_at=SOMETIME,
    redelivered_at=SOMETIME,
    purge_ordered_at=SOMETIME,
    purged_at=SOMETIME,
    late_at=SOMETIME,
    trial=st.none() | st.sampled_from(Trial),
    before_fallback=st.none() | st.builds(Asked, TEXT, TEXT, st.none() | TERMS),
    purge_result=st.none() | TEXT,
    parent=st.none() | NAME,
    family=st.none() | NAME,
    step_columns=st.none() | st.lists(TEXT, max_size=3),
    early_rows=COUNT,
    early_from=st.none() | COUNT,
    replaces=st.none() | TEXT,
)
PARTS = st.builds(
    Part,
    job=st.just("job"),
    first=COUNT,
    rows=COUNT,
    offset=COUNT,
    length=COUNT,
    state=st.sampled_from(PartState),
    attempt=COUNT,
    results=COUNT,
    ok=COUNT,
    failed=COUNT,
    empty=COUNT,
    step_results=COUNT,
    requests=COUNT,
    size=COUNT,
    input_tokens=COUNT,
    output_tokens=COUNT,
    counted_tokens=COUNT,
    longest=COUNT,
    unlimited=COUNT,
    reserved=COUNT,
    worker_crashes=COUNT,
    suspect=COUNT,
    excused=COUNT,
    rest_until=st.none() | TIME,
    usage=USAGE,
    wasted=USAGE,
    reused=COUNT,
    saved=USAGE,
    later=st.booleans(),
)
BATCHES = st.builds(
    Batch,
    key=NAME,
    provider=TEXT,
    model=TEXT,
    endpoint=TEXT,
    state=st.sampled_from(BatchState),
    requests=COUNT,
    size=COUNT,
    input_tokens=COUNT,
    created_at=TIME,
    uploads=COUNT,
    upload=st.none() | TEXT,
    intent=MOMENT,
    looks=COUNT,
    remote=st.none() | TEXT,
    extra_remotes=st.lists(TEXT, max_size=3),
    phase=st.none() | st.sampled_from(BatchPhase),
    completed=COUNT,
    failed=COUNT,
    total=COUNT,
    details=TABLE,
    problems=st.lists(TABLE, max_size=2),
    usage=st.none() | USAGE,
    wanted=st.booleans(),
    reason=st.none() | TEXT,
    submitted_at=SOMETIME,
    ended_at=SOMETIME,
    heard=MOMENT,
    progress=MOMENT,
    stopping=MOMENT,
    lane=st.sampled_from(Lane),
    fingerprint=st.dictionaries(TEXT, TEXT, max_size=2),
    held_for=st.none() | st.sampled_from(HeldFor),
    answers_until=SOMETIME,
    cut_at=SOMETIME,
    create_answers=COUNT,
    rows_key=st.none() | TEXT,
    unlisted=COUNT,
)
OWNER = Job(
    id="job",
    state=JobState.RUNNING,
    source="",
    inbox_path=b"",
    stamp=(0, 0, 0, 0),
    route=Route(name="", match=(), provider="", model="", prompt=PluginSpec("")),
    size=0,
    claimed_at=0.0,
)


def stored(table: str, query: str, record: Any, of: Any, **key: Any) -> Any:
    """The record after a visit to the disk."""

    async def visit(folder: Path) -> Any:
        put_empty_database(folder / "batchd.db")
        database = await Database.open(folder / "batchd.db", now=lambda: 0.0)
        try:

            def change(tx: Any) -> None:
                if table == "parts":
                    tx.insert("jobs", [columns_of(OWNER)])
                tx.insert(table, [columns_of(record)])

            await database.write(change)
            [row] = await database.read(lambda tx: tx.fetch(query, **key))
            return of(row)
        finally:
            await database.close()

    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(visit(Path(folder)))


FEW = settings(deadline=None, max_examples=25)


@pytest.mark.slow
@FEW
@given(JOBS)
def test_jobs(job: Job) -> None:
    assert stored("jobs", "job", job, job_of, id=job.id) == job


@pytest.mark.slow
@FEW
@given(PARTS)
def test_parts(part: Part) -> None:
    assert stored("parts", "part", part, part_of, job="job", first=part.first) == part


@pytest.mark.slow
@FEW
@given(BATCHES)
def test_batches(batch: Batch) -> None:
    assert stored("batches", "batch", batch, batch_of, key=batch.key) == batch


def test_every_field_is_drawn() -> None:
    # A field that is added and not mapped would come out as its default, and nobody would see it.
    for record, strategy in ((Job, JOBS), (Part, PARTS), (Batch, BATCHES)):
        drawn = set(strategy.wrapped_strategy.kwargs)  # type: ignore[attr-defined]
        assert {field.name for field in dataclasses.fields(record)} - drawn <= {"batch", "duplicate_of"}
