"""Lines from all over a large file."""

from __future__ import annotations

import csv
import random
from functools import partial
from pathlib import Path

import pytest

from batchd.money import sampling
from batchd.money.sampling import PIECES

ROWS = 25_000
PIECE = 4_096
LETTERS = [chr(code) for code in range(ord("a"), ord("z"))]


# Stretches so small that a small file is a large one.
thin = partial(sampling.thin, piece=PIECE)


def table(path: Path, *, multi_line: float = 0.0, quote: bool = True) -> Path:
    """A table whose rows say where they stand, as a share of the file; some cells span lines."""
    chance = random.Random(1)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["place", "text"])
        for number in range(ROWS):
            text = "".join(chance.choices(LETTERS, k=chance.randint(1, 120)))
            if chance.random() < multi_line:
                text += "\nand more\nand more"
            elif quote and number % 5 == 0:
                text += ', "quoted"'
            writer.writerow([f"{number / ROWS:.6f}", text])
    return path


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One large table for all tests."""
    return table(tmp_path_factory.mktemp("large") / "large.csv")


def rows(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file, strict=True))


def test_whole_lines_from_all_over_the_file_behind_its_beginning(large: Path, tmp_path: Path) -> None:
    written = thin(large, tmp_path / "thin", quoted=True)
    assert written == (tmp_path / "thin").stat().st_size < large.stat().st_size / 3
    there = set(large.read_text().splitlines())
    lines = (tmp_path / "thin").read_text().splitlines()
    assert lines[:3] == large.read_text()[:10_000].splitlines()[:3]
    assert set(lines) <= there
    assert len(set(lines)) == len(lines), "no line twice"
    places = [float(place) for place, _ in rows(tmp_path / "thin")[1:]]
    assert places == sorted(places)
    tenths = [sum(low <= place * 10 < low + 1 for place in places) for low in range(10)]
    assert max(tenths) < 1.5 * min(tenths)


def test_what_is_extrapolated_from_it_is_right(large: Path, tmp_path: Path) -> None:
    written = thin(large, tmp_path / "thin", quoted=True)
    assert written is not None
    some = rows(tmp_path / "thin")[1:]
    assert len(some) * large.stat().st_size / written == pytest.approx(ROWS, rel=0.02)


def test_the_same_file_gives_the_same_lines(large: Path, tmp_path: Path) -> None:
    thin(large, tmp_path / "one", quoted=True)
    thin(large, tmp_path / "two", quoted=True)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_few_cells_that_span_lines_are_left_out_whole(tmp_path: Path) -> None:
    path = table(tmp_path / "few.csv", multi_line=0.0005)
    assert thin(path, tmp_path / "thin", quoted=True) is not None
    assert all(len(row) == 2 for row in rows(tmp_path / "thin"))
    assert not any("\n" in text for _, text in rows(tmp_path / "thin"))


def test_many_cells_that_span_lines_are_too_many(tmp_path: Path) -> None:
    path = table(tmp_path / "many.csv", multi_line=0.05)
    assert thin(path, tmp_path / "thin", quoted=True) is None
    # Where lines are records whatever stands in them, it does not matter.
    assert thin(path, tmp_path / "thin", quoted=False) is not None


@pytest.mark.parametrize(
    "content",
    [
        "a,b\nx,y\n".encode("utf-16") * 100_000,
        b"one endless line" * 100_000,
        b"a,b\r1,2\r" * 100_000,
        b"a,b\n" + b"long" * 2_000 + b"\n" + b"short\n" + b"1234567890" * 100_000,
    ],
    ids=["UTF-16", "one line", "old line ends", "hardly a line"],
)
def test_what_has_no_lines_to_take_is_not_thinned(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "odd").write_bytes(content)
    assert thin(tmp_path / "odd", tmp_path / "thin", quoted=True) is None


def test_stretches_do_not_overlap_in_the_smallest_file_that_is_thinned(tmp_path: Path) -> None:
    line = "{:09d}\n"
    number = (PIECES + 8) * PIECE // 10
    (tmp_path / "lines").write_text("".join(line.format(each) for each in range(number)))
    assert thin(tmp_path / "lines", tmp_path / "thin", quoted=False) is not None
    taken = (tmp_path / "thin").read_text().split()
    assert taken == sorted(set(taken))
