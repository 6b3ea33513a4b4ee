"""The sink `parquet`: what pyarrow finds in the file."""

from __future__ import annotations

import asyncio
import io

import pyarrow.parquet as parquet
import pytest

from batchd import Dialect, Failure, Json, ResultRow, RowStatus
from batchd.plugin.catalogue import Catalogue
from batchd.testing.outbox import FakeRows, MemoryOutbox, sample_job

pytestmark = pytest.mark.field("results")


@pytest.mark.parametrize("kind", ["parquet", "same"])
def test_columns_have_the_type_of_their_values(kind: str) -> None:
    late = Failure("late", "Too late.")
    rows = FakeRows(
        ["id", "price", "mixed"],
        ["answer"],
        lambda: iter(
            [
                ResultRow(0, [1, 1.5, "a"], [1, 1.5, "a"], RowStatus.OK, [True], None, None, None),
                ResultRow(1, [2, 2, 7], [2, 2, 7], RowStatus.FAILED, (), late, None, None),
            ]
        ),
    )
    rows.dialect = Dialect(form="parquet")
    outbox = MemoryOutbox()
    asyncio.run(Catalogue.load().create("sink", kind, {}).publish(sample_job(outbox), rows))
    table = parquet.read_table(io.BytesIO(outbox.files[".results.parquet"]))
    assert [str(field.type) for field in table.schema] == ["int64", "double", "string", "bool", "string", "string"]
    assert table.to_pylist()[1] == {
        "id": 2, "price": 2.0, "mixed": "7", "answer": None, "status": "failed", "error": "Too late."
    }  # fmt: skip
    assert parquet.read_table(io.BytesIO(outbox.files[".failed.parquet"])).to_pylist() == [
        {"id": 2, "price": 2, "mixed": 7}
    ]


@pytest.mark.parametrize(
    ("values", "type_", "written"),
    [
        ([2**53 + 1, 0.5, None], "string", ["9007199254740993", "0.5", None]),
        ([0.5, -(2**63) + 1], "string", ["0.5", "-9223372036854775807"]),
        ([2**53, 0.5, -(2**60)], "double", [2.0**53, 0.5, -(2.0**60)]),
        ([2**53 + 1, None, 3], "int64", [2**53 + 1, None, 3]),
        ([2**53 + 1], "int64", [2**53 + 1]),
        ([2**63, 1], "string", ["9223372036854775808", "1"]),
    ],
)
def test_no_integer_is_changed(values: list[Json], type_: str, written: list[Json]) -> None:
    done = [ResultRow(n, [value], [value], RowStatus.OK, (), None, None, None) for n, value in enumerate(values)]
    rows = FakeRows(["n"], [], lambda: iter(done))
    outbox = MemoryOutbox()
    asyncio.run(Catalogue.load().create("sink", "parquet", {}).publish(sample_job(outbox), rows))
    column = parquet.read_table(io.BytesIO(outbox.files[".results.parquet"])).column("n")
    assert (str(column.type), column.to_pylist()) == (type_, written)
