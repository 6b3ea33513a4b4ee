"""The sink `same`: what comes out is written as what went in, cell by cell and byte by byte."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from files_support import MemoryOutbox, Rows, answered, failed, job

from batchd import Dialect, Failure, Source
from batchd.plugin.catalogue import Catalogue
from batchd_files.delimited.csv_reader import CsvReader, CsvSettings

pytestmark = pytest.mark.field("results")
CATALOGUE = Catalogue.load()
LATE = Failure("late", "Too late.")


def came_as(path: Path, content: bytes, **options: str) -> tuple[list[str], list[list[str]], Dialect | None]:
    path.write_bytes(content)
    reader = CsvReader(CsvSettings(**options))
    columns, *rows = reader.read(Source(path, path.name))
    return list(columns), [list(row) for row in rows], reader.dialect()


def publish(rows: Rows) -> dict[str, bytes]:
    outbox = MemoryOutbox()
    asyncio.run(CATALOGUE.create("sink", "same", {}).publish(job(outbox), rows))
    return outbox.files


def back(folder: Path, name: str, content: bytes, answers: list[str], **options: str) -> dict[str, bytes]:
    """The file with these answers; a row without one has failed."""
    columns, records, dialect = came_as(folder / name, content, **options)
    rows = Rows(
        columns,
        ["answer"],
        [
            answered(number, values, [answer]) if answer else failed(number, values, LATE)
            for number, (values, answer) in enumerate(zip(records, answers, strict=True))
        ],
    )
    rows.dialect = dialect
    return publish(rows)


def test_tables_come_back_as_they_came(tmp_path: Path) -> None:
    """Delimiter, mark, encoding, line ends, quoting, `sep=`, and numbers as they stood."""
    plain = "id;price;text\r\n1;1.10;Müller\r\n2;007;x\r\n"
    out = "id;price;text;answer;status;error\r\n1;1.10;Müller;gut;ok;\r\n2;007;x;=1+1;ok;\r\n".replace(
        "=1+1", '"\'=1+1"'
    )
    everything = '"id","text"\n"1","Müller"\n"2",""\n'
    texts = '"id","text"\n1,"Müller"\n2.50,"x"\n'
    cases = {
        "mark": ("a.csv", plain.encode("utf-8-sig"), out.encode("utf-8-sig"), {}),
        "plain": ("a.csv", plain.encode(), out.encode(), {}),
        "cp1252": ("a.csv", plain.encode("cp1252"), out.encode("cp1252"), {"encoding": "cp1252"}),
        "utf-16": ("a.csv", plain.encode("utf-16"), out.encode("utf-16"), {}),
        "old Macintosh": ("a.csv", plain.replace("\r\n", "\r").encode(), out.replace("\r\n", "\r").encode(), {}),
        "tsv": ("a.tsv", plain.replace(";", "\t").encode(), out.replace(";", "\t").encode(), {}),
        "declared": ("a.csv", f"sep=;\r\n{plain}".encode(), f"sep=;\r\n{out}".encode(), {}),
        "decimal commas": (
            "a.csv",
            b"id;price\r\n1;1.234,50\r\n2;-0,5%\r\n",
            b'id;price;answer;status;error\r\n1;1.234,50;gut;ok;\r\n2;-0,5%;"\'=1+1";ok;\r\n',
            {},
        ),
        "no decimal commas": (
            "a.csv",
            b'id,price\n1,"1,5"\n2,"a,b"\n',
            b'id,price,answer,status,error\n1,"1,5",gut,ok,\n2,"a,b","\'=1+1",ok,\n',
            {},
        ),
        "all quoted": (
            "a.csv",
            everything.encode(),
            '"id","text","answer","status","error"\n"1","Müller","gut","ok",""\n"2","","\'=1+1","ok",""\n'.encode(),
            {},
        ),
        "texts quoted": (
            "a.csv",
            texts.encode(),
            '"id","text","answer","status","error"\n1,"Müller","gut","ok",""\n2.50,"x","\'=1+1","ok",""\n'.encode(),
            {},
        ),
    }
    faults = []
    for case, (name, content, wanted, options) in cases.items():
        files = back(tmp_path, name, content, ["gut", "=1+1"], **options)
        suffix = f".results.{name.rpartition('.')[2]}"
        if files != {suffix: wanted}:
            faults.append(f"{case}: {files}")
    assert not faults, "\n".join(faults)


def test_an_answer_that_the_encoding_cannot_hold_makes_the_file_utf_8_with_a_mark(tmp_path: Path) -> None:
    content = "id;text\r\n1;Müller\r\n2;Schön\r\n".encode("cp1252")
    files = back(tmp_path, "a.csv", content, ["đẹp 👍", ""], encoding="cp1252")
    expected = "id;text;answer;status;error\r\n1;Müller;đẹp 👍;ok;\r\n2;Schön;;failed;Too late.\r\n"
    assert files[".results.csv"] == expected.encode("utf-8-sig")
    # The failed rows are what was dropped, in its bytes.
    assert files[".failed.csv"] == "id;text\r\n2;Schön\r\n".encode("cp1252")


def test_windows_vietnamese_holds_letters_with_tones(tmp_path: Path) -> None:
    content = b"id,text\r\n1,\xd0\xe2\xec\r\n"  # a tone as a mark of its own
    files = back(tmp_path, "a.csv", content, ["đẹp"], encoding="cp1258")
    assert files[".results.csv"].endswith(b",\xf0e\xf2p,ok,\r\n")


def test_a_guessed_encoding_comes_back_and_failed_rows_are_utf_8(tmp_path: Path) -> None:
    words = "Größe für Müller über schöne Käse äußerst süß"
    lines = "".join(f"{number};{words}\r\n" for number in range(60))
    answers = ["grün"] * 59 + [""]
    files = back(tmp_path, "a.csv", f"id;text\r\n{lines}".encode("cp1252"), answers)
    assert files[".results.csv"].startswith(f"id;text;answer;status;error\r\n0;{words};grün;ok;\r\n".encode("cp1252"))
    assert files[".failed.csv"] == f"id;text\r\n59;{words}\r\n".encode("utf-8-sig")


def test_json_lines_come_back_with_the_answer_in_each_object() -> None:
    rows = Rows(
        ["id", "status"],
        ["answer"],
        [answered(0, [1.5, "new"], ["=yes"]), failed(1, [2, None], LATE, original=[2, None])],
    )
    rows.dialect = Dialect(form="jsonl")
    files = publish(rows)
    assert [json.loads(line) for line in files[".results.jsonl"].splitlines()] == [
        {"id": 1.5, "status": "new", "answer": "=yes", "status (2)": "ok", "error": None},
        {"id": 2, "status": None, "answer": None, "status (2)": "failed", "error": "Too late."},
    ]
    assert json.loads(files[".failed.jsonl"]) == {"id": 2, "status": None}


def test_requests_come_back_as_the_provider_wrote_them() -> None:
    raw = b'{"custom_id":"job-0","response":{"status_code":200},"error":null}'
    rows = Rows(["custom_id", "body"], ["answer"], [answered(0, ["mine", {}], ["x"], raw)])
    rows.dialect = Dialect(form="jsonl")
    assert json.loads(publish(rows)[".results.jsonl"])["custom_id"] == "mine"


def test_what_did_not_come_as_text_is_a_table_that_excel_reads() -> None:
    files = publish(Rows(["line"], ["answer"], [answered(0, ["Müller"], ["x"])]))
    assert files == {".results.csv": "\ufeffline,answer,status,error\nMüller,x,ok,\n".encode()}


def test_without_the_package_for_workbooks_the_results_are_a_table() -> None:
    sink = CATALOGUE.create("sink", "same", {})
    sink.needed = {"xlsx": "no_such_package"}
    outbox, rows = MemoryOutbox(), Rows(["id"], ["answer"], [answered(0, [1], ["x"])])
    rows.dialect = Dialect(form="xlsx")
    asyncio.run(sink.publish(job(outbox), rows))
    assert list(outbox.files) == [".results.csv"]
