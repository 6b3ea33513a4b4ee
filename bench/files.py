"""Measures each reader and sink: rows a second, compared with the fastest plain way to the same rows, and memory.

    python bench/files.py [ROWS]
    python bench/files.py --large [FOLDER]

Each runs in a process of its own. A reader or a sink should reach half the speed of the plain way, which may use any
amount of memory. The columns are an id, a text of 55 characters, a number, a date and a truth value; a sink adds two
columns of the answer, status and error. `--large` reads and writes 5,000,000 rows of CSV, 1,000,000 of Parquet and a
full sheet of 1,048,576 rows, and prints how much memory each takes; it takes minutes.
"""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import gzip
import io
import itertools
import json
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any

KINDS = ("csv", "xlsx", "ods", "parquet", "json", "jsonl", "csv.gz")
NAMES = ["id", "review", "amount", "day", "flag"]


def table(rows: int) -> Iterator[tuple[Any, ...]]:
    """The rows."""
    start = dt.date(2020, 1, 1)
    for number in range(rows):
        text = f"Review number {number}, as long as such reviews usually are."
        yield number, text, number * 1.1, start + dt.timedelta(days=number % 3_000), number % 2 == 0


def write(kind: str, path: Path, rows: int) -> None:
    """Write the table as other programs do."""
    if kind == "xlsx":
        import xlsxwriter

        with xlsxwriter.Workbook(path, {"constant_memory": True}) as book:
            sheet, day = book.add_worksheet(), book.add_format({"num_format": "yyyy-mm-dd"})
            sheet.write_row(0, 0, NAMES)
            for number, row in enumerate(table(rows), start=1):
                sheet.write_row(number, 0, row[:3])
                sheet.write_datetime(number, 3, row[3], day)
                sheet.write_boolean(number, 4, row[4])
    elif kind == "ods":
        write_ods(path, rows)
    elif kind == "parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        with ExitStack() as stack:
            writer: Any = None
            for some in pieces(table(rows)):
                part = pa.table(dict(zip(NAMES, map(list, zip(*some, strict=True)), strict=True)))
                writer = writer or stack.enter_context(pq.ParquetWriter(path, part.schema))
                writer.write_table(part)
    elif kind.startswith("json"):
        objects = (json.dumps(dict(zip(NAMES, row, strict=True)), default=str) for row in table(rows))
        lines = kind == "jsonl"
        path.write_text(("" if lines else "[") + ("\n" if lines else ",\n").join(objects) + ("\n" if lines else "]"))
    else:
        with gzip.open(path, "wt", 1) if kind.endswith(".gz") else path.open("w", newline="") as text:
            lines = csv.writer(text)
            lines.writerow(NAMES)
            lines.writerows(table(rows))


OASIS = "urn:oasis:names:tc:opendocument:xmlns"
SPACES = " ".join(f'xmlns:{name}="{OASIS}:{name}:1.0"' for name in ("office", "table", "text"))
BEGIN = f"<office:document-content {SPACES}><office:body><office:spreadsheet>"


def write_ods(path: Path, rows: int) -> None:
    """Write the table as LibreOffice does, but many times as fast."""
    values = {int: ("float", "value"), float: ("float", "value"), dt.date: ("date", "date-value")}
    values |= {bool: ("boolean", "boolean-value")}

    def cell(value: Any) -> str:
        kind, key = values.get(type(value), ("string", ""))
        written = f' office:{key}="{str(value).lower() if kind == "boolean" else value}"' if key else ""
        return f'<table:table-cell office:value-type="{kind}"{written}><text:p>{value}</text:p></table:table-cell>'

    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        manifest = f'<manifest:manifest xmlns:manifest="{OASIS}:manifest:1.0"/>'
        archive.writestr("META-INF/manifest.xml", manifest)
        with archive.open("content.xml", "w") as file:
            file.write(f'{BEGIN}<table:table table:name="May">'.encode())
            for row in itertools.chain([NAMES], table(rows)):
                cells = "".join(map(cell, row))
                file.write(f'<table:table-row table:style-name="ro1">{cells}</table:table-row>'.encode())
            file.write(b"</table:table></office:spreadsheet></office:body></office:document-content>")


def pieces(rows: Iterator[Any]) -> Iterator[list[Any]]:
    """The rows in groups."""
    while some := list(islice(rows, 100_000)):
        yield some


def plain(kind: str, path: Path) -> Iterable[Any]:
    """The rows by the fastest plain way, whatever memory it takes."""
    if kind in {"xlsx", "ods"}:
        import python_calamine

        return python_calamine.CalamineWorkbook.from_path(path).get_sheet_by_index(0).iter_rows()
    if kind == "parquet":
        import pyarrow.parquet as pq

        return zip(*(column.to_pylist() for column in pq.read_table(path).columns), strict=True)
    if kind.startswith("json"):
        import msgspec

        if kind == "json":
            return [list(each.values()) for each in msgspec.json.decode(path.read_bytes())]
        decode = msgspec.json.Decoder(dict[str, Any]).decode
        return (list(decode(line).values()) for line in path.read_bytes().splitlines())
    data = path.read_bytes()
    return csv.reader(io.StringIO((gzip.decompress(data) if kind.endswith(".gz") else data).decode(), newline=""))


def ours(kind: str, path: Path) -> Iterable[Any]:
    """The rows by batchd's reader, including the unpacking."""
    from batchd import Source
    from batchd.domain.routing import PluginSpec
    from batchd.work.reading.opening import opened

    with opened(Source(path, f"may.{kind}"), path.with_name("unpacked"), PluginSpec(""), None) as file:
        for block in file.blocks:
            yield from block


ANSWERS = ["label", "score"]
SINKS = {
    # The sink, the ending of its file, and the form of the file that was dropped.
    "csv": ("csv", ".csv", None),
    "same (csv)": ("same", ".csv", "csv"),
    "same (jsonl)": ("same", ".jsonl", "jsonl"),
    "jsonl": ("jsonl", ".jsonl", "jsonl"),
    "xlsx": ("xlsx", ".xlsx", "xlsx"),
    "parquet": ("parquet", ".parquet", "parquet"),
}
RAW = (
    b'{"id":"x","custom_id":"a-1","response":{"status_code":200,"body":{"choices":[{"message":{"content":"good"}}]}}}\n'
)


def results(rows: int) -> Iterator[Any]:
    """The rows with their answers; one in a hundred failed."""
    from batchd import Failure, ResultRow, RowStatus

    refused = Failure("refused", "The service refused this row.")
    for number, row in enumerate(table(rows)):
        values = [*row[:3], row[3].isoformat(), row[4]]
        failed = number % 100 == 99
        yield ResultRow(
            number,
            values,
            values,
            RowStatus.FAILED if failed else RowStatus.OK,
            () if failed else ("good", 4),
            refused if failed else None,
            None,
            None if failed else RAW,
        )


def finished(rows: Iterable[Any]) -> Iterator[list[Any]]:
    """The cells of the results, for the plain ways."""
    for row in rows:
        error = row.failure.message if row.failure is not None else None
        yield [*row.values, *(row.answer or (None, None)), row.status.value, error]


def plainly(kind: str, rows: Iterable[Any], path: Path) -> None:
    """Write the results by the fastest plain way."""
    names = [*NAMES, *ANSWERS, "status", "error"]
    ending = SINKS[kind][1]
    if kind == "jsonl":
        import msgspec

        decode, encode = msgspec.json.Decoder().decode, msgspec.json.encode
        with path.open("wb") as file:
            for row in rows:
                line = decode(row.raw) if row.raw else {"response": None, "error": {"message": row.failure.message}}
                file.write(encode({**line, "custom_id": str(row.number)}) + b"\n")
    elif ending == ".jsonl":
        import msgspec

        encode = msgspec.json.encode
        with path.open("wb") as file:
            file.writelines(encode(dict(zip(names, row, strict=True))) + b"\n" for row in finished(rows))
    elif ending == ".csv":
        with path.open("w", newline="") as text:
            writer = csv.writer(text)
            writer.writerow(names)
            writer.writerows(finished(rows))
    elif ending == ".xlsx":
        import xlsxwriter

        with xlsxwriter.Workbook(path, {"constant_memory": True}) as book:
            sheet = book.add_worksheet()
            for number, row in enumerate([names, *finished(rows)]):
                sheet.write_row(number, 0, row)
    else:
        import pyarrow as pa
        import pyarrow.parquet as pq

        columns = map(list, zip(*finished(rows), strict=True))
        pq.write_table(pa.table(dict(zip(names, columns, strict=True))), path)


def by_sink(kind: str, rows: Iterable[Any], path: Path) -> None:
    """Write the results by the sink, as a worker calls it."""
    from batchd import Dialect, Shape
    from batchd_files.delimited.csv_sink import CsvSink
    from batchd_files.objects.jsonl_sink import JsonlSink
    from batchd_files.same_sink import SameSink
    from batchd_tables.parquet_sink import ParquetSink
    from batchd_tables.xlsx_sink import XlsxSink

    name, ending, form = SINKS[kind]
    sinks = {"csv": CsvSink, "same": SameSink, "jsonl": JsonlSink, "xlsx": XlsxSink, "parquet": ParquetSink}
    made: Any = sinks[name]
    sink = made(made.Settings())
    shape = Shape("job", NAMES, ANSWERS, Dialect(form=form) if form else None)
    heads = sink.heads(shape)
    with path.open("wb") as file, path.with_name("failed").open("wb") as failed:
        file.write(heads[f".results{ending}"])
        for suffix, line in sink.lines(shape, rows):
            (file if suffix.startswith(".results") else failed).write(line)


def measure(way: str, kind: str, path: Path, rows: int) -> None:
    """Print rows, seconds of CPU, and the peak memory in MiB. With small files, the best of three runs counts."""
    seconds = []
    if way.endswith("sink"):
        write_ = by_sink if way == "our sink" else plainly
        write_(kind, results(10), path)  # imports what it needs
        made = results(rows) if way == "our sink" and rows >= 1_000_000 else list(results(rows))
        for _ in range(3 if rows < 1_000_000 else 1):
            before = time.process_time()
            write_(kind, made, path)
            seconds.append(time.process_time() - before)
    else:
        read = ours if way == "ours" else plain
        sum(1 for _ in read(kind, path.with_name(f"few.{kind}")))
        for _ in range(3 if rows < 1_000_000 else 1):
            before = time.process_time()
            rows = sum(1 for _ in read(kind, path))
            seconds.append(time.process_time() - before)
    print(rows, min(seconds), most_memory())


def most_memory() -> int:
    """The peak memory of this process, in MiB. The peak of getrusage includes that of the process that started it."""
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) // 1024


def measured(way: str, kind: str, path: Path, rows: int) -> tuple[float, int]:
    """Rows a second and MiB, measured in a process of its own."""
    command = [sys.executable, __file__, way, kind, str(path), str(rows)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    count, seconds, memory = done.stdout.split()
    return int(count) / float(seconds), int(memory)


def compare(title: str, kinds: Iterable[str], rows: int, folder: Path, ways: tuple[str, str]) -> list[str]:
    """Print a table; return what is too slow."""
    slow = []
    print(f"{title:12} {'plain rows/s':>12} {'MiB':>6} {'batchd rows/s':>14} {'MiB':>6} {'share':>6}")
    for kind in kinds:
        path = folder / f"may.{kind}"
        if ways[1] == "ours":
            write(kind, path, rows)
            write(kind, path.with_name(f"few.{kind}"), 10)
        (plain_rate, plain_memory), (rate, memory) = (measured(way, kind, path, rows) for way in ways)
        path.unlink()
        slow += [f"{title} {kind}"] if rate < 0.5 * plain_rate else []
        share = rate / plain_rate
        print(f"{kind:12} {plain_rate:>12,.0f} {plain_memory:>6} {rate:>14,.0f} {memory:>6} {share:>6.2f}")
    return slow


def large(folder: Path) -> None:
    """Read and write files as large as batchd promises to handle."""
    print(f"{'':12} {'rows':>10} {'read rows/s':>12} {'MiB':>6} {'write rows/s':>13} {'MiB':>6}")
    for kind, rows, sink in (("csv", 5_000_000, "csv"), ("parquet", 1_000_000, "parquet"), ("xlsx", 1_048_575, "xlsx")):
        path = folder / f"may.{kind}"
        write(kind, path, rows)
        write(kind, path.with_name(f"few.{kind}"), 10)
        read, memory = measured("ours", kind, path, rows)
        path.unlink()
        written, needed = measured("our sink", sink, path, rows)
        path.unlink()
        print(f"{kind:12} {rows:>10,} {read:>12,.0f} {memory:>6} {written:>13,.0f} {needed:>6}")


def main() -> int:
    """Measure all, and say what is too slow."""
    if len(sys.argv) == 5:
        measure(sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))
        return 0
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", type=int, nargs="?", default=200_000)
    parser.add_argument("--large", nargs="?", const=tempfile.gettempdir(), metavar="FOLDER")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.large) as name:
        folder = Path(name)
        if options.large is not None:
            large(folder)
            return 0
        slow = compare("reader", KINDS, options.rows, folder, ("plain", "ours"))
        slow += compare("sink", SINKS, options.rows, folder, ("plain sink", "our sink"))
    if slow:
        print(f"Below half of the plain way: {', '.join(slow)}.")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
