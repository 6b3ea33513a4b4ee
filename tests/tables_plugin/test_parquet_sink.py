"""The sink `parquet`: what pyarrow finds in the file."""

from __future__ import annotations

import asyncio
import io

import pyarrow.parquet as parquet
import pytest

from batchd import Dialect, Failure, ResultRow, RowStatus
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
