"""Other programs write a table in every format; it is dropped and answered, and others open the results again."""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from test_ods_reader import cell, ods, row

from batchd.testing.fakes import FakeService
from batchd.testing.household import REVIEWS, Household
from batchd.values import replace

pytestmark = [pytest.mark.field("files"), pytest.mark.slow]
OFFICE = shutil.which("soffice")
NAMES = ["id", "review", "price"]
ROWS = [
    ("007", "Đẹp & “gut”; a, b", "1.10"),
    ("1234567890123456789", 'two\nlines, "quoted"', "-0.50"),
    ("0000-00-00", "tab\there | bar", "1e5"),
    ("-12", " spaces around ", "TRUE"),
    ("", "null", "'5"),
]
GERMAN = [
    (f"{number:03}", f"Größe {number} fällt für uns zu groß aus; schön, würde ich sagen", "1,10")
    for number in range(60)
]
ANSWERS = ["=2+2", "@gut", "Đẹp;\n“ổn”", "7", "1.50"]


def written(folder: Path) -> dict[str, list[tuple[str, ...]]]:
    """Files by pandas, DuckDB and, where it is installed, LibreOffice; what rows each has."""
    import duckdb  # both are large, and each process that runs tests imports all of them
    import pandas as pd

    table, german = (pd.DataFrame(rows, columns=NAMES, dtype=str) for rows in (ROWS, GERMAN))
    table.to_csv(folder / "a.csv", index=False)
    table.to_csv(folder / "b.csv", index=False, sep=";", encoding="utf-8-sig", lineterminator="\r\n")
    table.to_csv(folder / "c.csv", index=False, sep="|", encoding="utf-16", quoting=csv.QUOTE_ALL)
    table.to_csv(folder / "d.tsv", index=False, sep="\t")
    german.to_csv(folder / "e.csv", index=False, sep=";", encoding="cp1252", lineterminator="\r\n")
    table.to_csv(folder / "f.csv.gz", index=False)
    table.to_csv(folder / "g.csv.zst", index=False, sep="\t")
    table.to_csv(folder / "h.zip", index=False, compression={"method": "zip", "archive_name": "inside.csv"})
    table.to_json(folder / "k.json", orient="records", force_ascii=True)
    table.to_json(folder / "l.jsonl", orient="records", lines=True, force_ascii=False)
    table.to_excel(folder / "m.xlsx", index=False)
    with duckdb.connect() as base:
        base.register("rows", table)
        base.execute(f"COPY rows TO '{folder}/i.parquet' (FORMAT parquet, COMPRESSION zstd)")
        base.execute(f"COPY rows TO '{folder}/j.json' (FORMAT json, ARRAY true)")
        base.execute(f"COPY rows TO '{folder}/n.csv' (HEADER, DELIMITER '|', QUOTE '\"', FORCE_QUOTE *)")
    lines = [row(*(cell("string", shown=each.replace("\n", "")) for each in line)) for line in (NAMES, *GERMAN)]
    ods(folder / "o.ods", *lines)
    kept = {"e": GERMAN, "o": GERMAN}
    if OFFICE is not None:
        by_office(folder / "e.csv", "p.xlsx", "xlsx", "CSV:59,34,ANSI,1,1/2/2/2/3/2")
        by_office(folder / "e.csv", "q.ods", "ods", "CSV:59,34,ANSI,1,1/2/2/2/3/2")
        kept |= {"p": GERMAN, "q": GERMAN}
    return {path.name: kept.get(path.name[0], ROWS) for path in sorted(folder.iterdir()) if path.is_file()}


def by_office(source: Path, name: str, kind: str, filter_: str = "") -> None:
    """Open a file in LibreOffice, and save it as another."""
    made = source.parent / "made"
    command = [str(OFFICE), f"-env:UserInstallation=file://{source.parent}/home", "--headless", "--convert-to", kind]
    command += [*([f"--infilter={filter_}"] if filter_ else []), "--outdir", str(made), str(source)]
    subprocess.run(command, check=True, capture_output=True, timeout=180)
    [result] = made.iterdir()
    result.rename(source.parent / name)


def by_pandas(**how: Any) -> Callable[[Path], list[list[str]]]:
    def opened(path: Path) -> list[list[str]]:
        import pandas as pd

        table = pd.read_csv(path, dtype=str, keep_default_na=False, header=None, **how)
        return [list(each) for each in table.itertuples(index=False)]

    return opened


def by_duckdb(function: str, options: str = "") -> Callable[[Path], list[list[str]]]:
    def opened(path: Path) -> list[list[str]]:
        import duckdb

        with duckdb.connect() as base:
            found = base.execute(f"SELECT * FROM {function}('{path}'{options})")
            names = [each[0] for each in found.description]
            return [names, *(["" if each is None else str(each) for each in line] for line in found.fetchall())]

    return opened


def by_openpyxl(path: Path) -> list[list[str]]:
    import pandas as pd

    table = pd.read_excel(path, engine="openpyxl", dtype=str, keep_default_na=False, header=None)
    return [list(each) for each in table.itertuples(index=False)]


def in_office(path: Path) -> list[list[str]]:
    source = path.parent / "opened" / path.name
    source.parent.mkdir()
    shutil.copy(path, source)
    by_office(source, "opened.csv", "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false")
    text = (source.parent / "opened.csv").read_text(encoding="utf-8-sig")
    shutil.rmtree(source.parent)
    return list(csv.reader(io.StringIO(text, newline="")))


OPENERS = {
    "a": by_pandas(sep=","),
    "b": by_pandas(sep=";", encoding="utf-8-sig"),
    "c": by_pandas(sep="|", encoding="utf-16"),
    "d": by_pandas(sep="\t"),
    "e": by_pandas(sep=";", encoding="cp1252"),
    "g": by_pandas(sep="\t", encoding="utf-8-sig"),
    "i": by_duckdb("read_parquet"),
    "j": by_duckdb(
        "read_json",
        ", format='newline_delimited', columns={id: 'VARCHAR', review: 'VARCHAR', price: 'VARCHAR', answer: 'VARCHAR', status: 'VARCHAR', error: 'VARCHAR'}",
    ),
    "m": by_openpyxl,
    "n": by_duckdb("read_csv", ", all_varchar=true, header=true, delim='|', quote='\"', nullstr='NONE'"),
    "o": by_openpyxl,
    "p": in_office,
    "q": in_office,
}
OPENERS |= {"f": OPENERS["a"], "h": by_pandas(sep=",", encoding="utf-8-sig"), "k": OPENERS["j"], "l": OPENERS["j"]}


@pytest.mark.third
@pytest.mark.slow(seconds=5)
async def test_what_other_programs_write_comes_back_to_them_cell_by_cell(tmp_path: Path) -> None:
    (tmp_path / "dropped").mkdir()
    dropped = written(tmp_path / "dropped")
    answers = {text: ANSWERS[number % 5] for number, (_, text, _) in enumerate(ROWS)}

    def answer(body: Any) -> Any:
        return answers.get(body["messages"][-1]["content"].removeprefix("Review: "), "gut")

    route = replace(REVIEWS, sinks=("same",), formats=("csv", "tsv", "xlsx", "ods", "parquet", "json", "jsonl", "zip"))
    household = Household(tmp_path / "house", service=FakeService(answer), routes=[route], duplicates="process")
    for name in dropped:
        household.drop(f"reviews/{name}", (tmp_path / "dropped" / name).read_bytes())
    async with household.living() as living:
        await living.take_in()
        await living.drain()
    why = "\n".join(path.read_text() for path in household.folders.rejected.rglob("*.why.txt"))
    assert not why
    faults = []
    for name, rows in dropped.items():
        [path] = (household.folders.outbox / "reviews").glob(f"{name[0]}*.results.*")
        found = OPENERS[name[0]](path)
        text = path.suffix in {".csv", ".tsv"}
        said = ["'" + each if text and each[0] in "=@" else each for each in ANSWERS]
        expected = [[*cells, said[number] if rows is ROWS else "gut", "ok", ""] for number, cells in enumerate(rows)]
        if found != [[*NAMES, "answer", "status", "error"], *expected]:
            faults.append(f"{name}, {path.name}: {found[:3]}")
    assert not faults, "\n".join(faults)
