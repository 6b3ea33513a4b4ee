"""Counting what a file would ask: as the daemon would, or a sample of it."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import pytest

from batchd.errors import FileRefused
from batchd.work.planning import estimate
from batchd.work.planning.estimate import Counted, CountTask, count
from batchd.work.planning.plan import plan

from .conftest import Desk
from .test_plan import task as plan_task


def counted(provider: Desk, source: Path, reader: str = "", **more: Any) -> Counted:
    """Count a file by the column `text`."""
    folder = provider.folder / "count"
    folder.mkdir(exist_ok=True)
    given: dict[str, Any] = {
        "source": source,
        "name": source.name,
        "folder": folder,
        "reader": provider.recipe(reader),
        "builder": provider.recipe("ask"),
        "common": {"model": "gpt-4o", "max_tokens": 50},
        "endpoint": "/v1/chat/completions",
        "max_line_bytes": None,
        "models": {"o200k_base": "gpt-4o"},
    }
    return count(CountTask(**(given | more)))


def table(path: Path, texts: list[str]) -> Path:
    """A table of these texts; none of them has a comma."""
    path.write_text("id,text\n" + "".join(f"{number},{text}\n" for number, text in enumerate(texts)))
    return path


def test_it_comes_to_the_same_as_planning(provider: Desk) -> None:
    texts = ["one", "two words", "unaskable", "long", "many", "crash", "word " * 40]
    found = counted(provider, table(provider.folder / "in.csv", texts))
    records = [[str(number), text] for number, text in enumerate(texts)]
    planned = plan(plan_task(provider, records, model="gpt-4o"))
    assert (found.rows, found.looked_at, found.share) == (7, 7, 1)
    assert found.requests == planned.requests == 5
    assert found.loads["o200k_base"].input_tokens == planned.counted_tokens
    assert found.limits == planned.output_tokens == 50 + 50 + 5_000 + 150 + 50
    assert dict(found.failed) == {"unaskable": 1, "build": 1}
    assert found.examples["unaskable"] == "This row cannot be asked about."
    assert found.repeats == 0


def test_each_vocabulary_counts_for_itself(provider: Desk) -> None:
    source = table(provider.folder / "in.csv", ["Xin chào thế giới " * 20] * 3)
    found = counted(provider, source, models={"o200k_base": "gpt-4o", "cl100k_base": "gpt-4"})
    assert found.loads["cl100k_base"].input_tokens > 1.3 * found.loads["o200k_base"].input_tokens


def test_requests_that_are_the_same_are_found_across_parts(provider: Desk) -> None:
    found = counted(provider, table(provider.folder / "in.csv", ["a", "b", "a", "c", "a", "b"]), part_rows=2)
    assert found.repeats == 3


def test_what_all_requests_have_in_common_is_told(provider: Desk) -> None:
    found = counted(provider, table(provider.folder / "in.csv", ["a good one", "the bad one", "ugly"]))
    assert found.same["o200k_base"] == 7  # what stands around a message
    alone = counted(provider, table(provider.folder / "alone.csv", ["a good one"]))
    assert alone.same["o200k_base"] is None


def test_long_requests_are_noted_one_by_one(provider: Desk) -> None:
    found = counted(provider, table(provider.folder / "in.csv", ["a", "word " * 200, "b", "word " * 300]), long=100)
    load = found.loads["o200k_base"]
    assert len(load.long) == 2
    assert load.input_tokens == sum(load.long) + 2 * 8
    assert counted(provider, table(provider.folder / "in.csv", ["word " * 200])).loads["o200k_base"].long == ()


def test_a_request_without_a_limit_is_told(provider: Desk) -> None:
    found = counted(provider, table(provider.folder / "in.csv", ["a", "long"]), common={"model": "m"})
    assert (found.unlimited, found.limits) == (1, 5_000)


def test_a_file_that_cannot_be_taken_says_why(provider: Desk) -> None:
    with pytest.raises(FileRefused, match="needs the column “text”"):
        counted(provider, Path(provider.write("in.csv", "id,other\n1,x\n")))
    with pytest.raises(FileRefused, match="batchd does not know how to read"):
        counted(provider, Path(provider.write("in.doc", "x")))


def test_a_file_with_two_names_is_counted(provider: Desk) -> None:
    source = table(provider.folder / "in.csv", ["a", "b"])
    os.link(source, provider.folder / "other.csv")
    assert counted(provider, source).requests == 2


# --- large files ---------------------------------------------------------------------------------------------------


SMALL: dict[str, Any] = {"large": 1_000_000, "piece": 4_096, "sample": 200_000}
"""With these a small file is a large one."""


def many(path: Path, *, multi_line: bool = False, ending: str = ".csv") -> tuple[Path, int]:
    """A file of many rows, and how many."""
    chance, rows = random.Random(2), 20_000
    words = ["good", "bad", "late", "early", "broken", "giao", "hàng"]
    with path.with_suffix(ending).open("w") as file:
        if ending == ".csv":
            file.write("id,text\n")
        for number in range(rows):
            text = " ".join(chance.choices(words, k=chance.randint(1, 40)))
            if ending == ".jsonl":
                file.write(f'{{"id": {number}, "text": "{text}"}}\n')
            elif multi_line and number % 7 == 0:
                file.write(f'{number},"{text}\nand more"\n')
            else:
                file.write(f"{number},{text}\n")
    return path.with_suffix(ending), rows


@pytest.mark.slow
@pytest.mark.parametrize(("ending", "multi_line"), [(".csv", False), (".csv", True), (".jsonl", False)])
def test_of_a_large_file_a_sample_is_counted(provider: Desk, ending: str, multi_line: bool) -> None:
    source, rows = many(provider.folder / "in", ending=ending, multi_line=multi_line)
    exact = counted(provider, source)
    found = counted(provider, source, **SMALL)
    assert (exact.rows, exact.looked_at) == (rows, rows)
    assert found.rows == pytest.approx(rows, rel=0.02)
    assert 1_000 < found.looked_at < rows / 2
    tokens = found.loads["o200k_base"]
    assert tokens.share == found.share == found.looked_at / found.rows
    assert tokens.input_tokens / tokens.share == pytest.approx(exact.loads["o200k_base"].input_tokens, rel=0.02)
    assert found.limits / found.share == pytest.approx(exact.limits, rel=0.02)


@pytest.mark.slow
def test_a_sample_is_the_same_each_time(provider: Desk) -> None:
    source, _ = many(provider.folder / "in")
    assert counted(provider, source, **SMALL) == counted(provider, source, **SMALL)
    cells = source.rename(source.with_suffix(".cells"))
    assert counted(provider, cells, "cells", **SMALL) == counted(provider, cells, "cells", **SMALL)


def test_where_only_the_cutting_is_at_fault_the_whole_file_is_read(
    provider: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, rows = many(provider.folder / "in")

    def badly(source: Path, target: Path, **_: object) -> int:
        return target.write_bytes(b"id,other\n1,x\n")

    monkeypatch.setattr(estimate, "thin", badly)
    assert counted(provider, source, **SMALL).rows == rows


@pytest.mark.slow
def test_a_large_file_of_another_format_is_read_whole_and_a_sample_planned(provider: Desk) -> None:
    source, rows = many(provider.folder / "in")
    cells = source.rename(source.with_suffix(".cells"))
    found = counted(provider, cells, "cells", **SMALL)
    assert found.rows == rows
    assert 1_000 <= found.looked_at <= rows / 2
    exact = counted(provider, cells, "cells")
    assert found.loads["o200k_base"].input_tokens / found.share == pytest.approx(
        exact.loads["o200k_base"].input_tokens, rel=0.05
    )
