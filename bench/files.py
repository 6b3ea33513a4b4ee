"""How fast each reader is: rows a second, against the fastest plain way to the same rows, and its memory.

    python bench/files.py [ROWS]

Each runs in a process of its own. A reader is to reach half of the plain way. The columns are an id, a text of 55
characters, a number, a date and a truth value.
"""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

KINDS = ("csv", "xlsx", "parquet", "json", "jsonl", "csv.gz")
NAMES = ["id", "review", "amount", "day", "flag"]


def table(rows: int) -> Iterator[tuple[Any, ...]]:
    """The rows."""
    start = dt.date(2020, 1, 1)
    for number in range(rows):
        text = f"Review number {number}, as long as such reviews usually are."
        yield number, text, number * 1.1, start + dt.timedelta(days=number % 3_000), number % 2 == 0


def write(kind: str, path: Path, rows: int) -> None:
    """Write the table as programs of others do."""
    if kind == "xlsx":
        import xlsxwriter

        with xlsxwriter.Workbook(path, {"constant_memory": True}) as book:
            sheet, day = book.add_worksheet(), book.add_format({"num_format": "yyyy-mm-dd"})
            sheet.write_row(0, 0, NAMES)
            for number, row in enumerate(table(rows), start=1):
                sheet.write_row(number, 0, row[:3])
                sheet.write_datetime(number, 3, row[3], day)
                sheet.write_boolean(number, 4, row[4])
    elif kind == "parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.table(dict(zip(NAMES, map(list, zip(*table(rows), strict=True)), strict=True))), path)
    elif kind.startswith("json"):
        objects = (json.dumps(dict(zip(NAMES, row, strict=True)), default=str) for row in table(rows))
        lines = kind == "jsonl"
        path.write_text(("" if lines else "[") + ("\n" if lines else ",\n").join(objects) + ("\n" if lines else "]"))
    else:
        writer = csv.writer(text := io.StringIO())
        writer.writerow(NAMES)
        writer.writerows(table(rows))
        data = text.getvalue().encode()
        path.write_bytes(gzip.compress(data, 1) if kind.endswith(".gz") else data)


def plain(kind: str, path: Path) -> Iterable[Any]:
    """The fastest way to the same rows that does not care for memory."""
    if kind == "xlsx":
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
    """The reader, with what unpacks for it."""
    from batchd import Source
    from batchd.domain.routing import PluginSpec
    from batchd.work.opening import opened

    with opened(Source(path, f"may.{kind}"), path.with_name("unpacked"), PluginSpec(""), None) as file:
        yield from file.records


def measure(way: Callable[[str, Path], Iterable[Any]], kind: str, path: Path) -> None:
    """Print rows, seconds of CPU, and the most memory in MiB."""
    sum(1 for _ in way(kind, path.with_name(f"few.{kind}")))  # imports what it needs
    before = time.process_time()
    rows = sum(1 for _ in way(kind, path))
    print(rows, time.process_time() - before, most_memory())


def most_memory() -> int:
    """The most memory that this process has had, in MiB. What getrusage says is also of the process that started it."""
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) // 1024


def main() -> int:
    """Measure all, and say which reader is too slow."""
    if len(sys.argv) == 4:
        measure(ours if sys.argv[1] == "ours" else plain, sys.argv[2], Path(sys.argv[3]))
        return 0
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    slow = []
    print(f"{'':8} {'plain rows/s':>12} {'MiB':>6} {'batchd rows/s':>14} {'MiB':>6} {'share':>6}")
    with tempfile.TemporaryDirectory() as folder:
        for kind in KINDS:
            write(kind, path := Path(folder) / f"may.{kind}", rows)
            write(kind, path.with_name(f"few.{kind}"), 10)
            found = {}
            for way in ("plain", "ours"):
                done = subprocess.run(
                    [sys.executable, __file__, way, kind, str(path)], check=True, capture_output=True, text=True
                )
                count, seconds, memory = done.stdout.split()
                found[way] = int(count) / float(seconds), int(memory)
            share = found["ours"][0] / found["plain"][0]
            slow += [kind] if share < 0.5 else []
            print(
                f"{kind:8} {found['plain'][0]:>12,.0f} {found['plain'][1]:>6} "
                f"{found['ours'][0]:>14,.0f} {found['ours'][1]:>6} {share:>6.2f}"
            )
    if slow:
        print(f"Below half of the plain way: {', '.join(slow)}.")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
