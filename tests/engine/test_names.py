"""Whatever a file is called, it is processed or explained; nothing lands outside the folders or on another file."""

from __future__ import annotations

import os
import unicodedata

import pytest

from .conftest import MakeHousehold, csv_of

NAMES = [
    "with space.csv",
    "quotes \"and' more.csv",
    "new\nline.csv",
    "-rf.csv",
    "..csv",
    "CON.csv",
    "émoji 🎉.csv",
    "v1.2 (final).csv",
    "=1+1.csv",
    "a.CSV",
    "n" * 251 + ".csv",
    "ữ" * 83 + ".csv",
    "%41.csv",
]


@pytest.mark.parametrize("name", NAMES)
async def test_a_file_of_any_name_comes_back(make_household: MakeHousehold, name: str) -> None:
    household = make_household()
    household.drop(f"reviews/{name}", csv_of(["one"]))
    await household.work()
    if name.startswith("."):
        assert (household.folders.inbox / "reviews" / name).exists(), "a hidden file is none of ours"
        return
    outbox = household.outbox()
    assert len(outbox) == 2, list(outbox)
    assert all(path.startswith("reviews/") and path.isprintable() for path in outbox)
    [archived] = (household.folders.archive / "reviews").iterdir()
    assert archived.read_text() == csv_of(["one"])
    assert not list(household.folders.rejected.iterdir())


async def test_two_forms_of_one_name_and_bytes_that_are_no_text_do_not_meet(make_household: MakeHousehold) -> None:
    household = make_household()
    composed, decomposed = (unicodedata.normalize(form, "đánh giá.csv") for form in ("NFC", "NFD"))
    folder = household.folders.inbox / "reviews"
    for number, name in enumerate((composed.encode(), decomposed.encode(), b"caf\xe9.csv")):
        household.drop(f"reviews/{number}.tmp", csv_of([f"review {number}"]))
        os.rename(os.fsencode(folder / f"{number}.tmp"), os.fsencode(folder) + b"/" + name)
    await household.work()
    results = [content for path, content in household.outbox().items() if path.endswith(".results.csv")]
    assert len(results) == 3
    assert all(sum(f"review {number}".encode() in content for content in results) == 1 for number in range(3))
    assert len(list((household.folders.archive / "reviews").iterdir())) == 3
