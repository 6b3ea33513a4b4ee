"""The sink `csv`: every row in order and unchanged, and nothing that a spreadsheet would run."""

from __future__ import annotations

import asyncio
import csv
import io
import threading
from collections.abc import Iterator

import pytest
from files_support import PATIENT, MemoryOutbox, Rows, answered, failed, job, read, skipped
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from batchd import Failure, Json, ResultRow
from batchd_files.delimited.csv_reader import CsvReader, CsvSettings
from batchd_files.delimited.csv_sink import CsvSink, CsvSinkSettings
from batchd_files.delimited.forms import is_blank
from batchd_files.delimited.rows import visible


def publish(rows: Rows, **options: Json) -> dict[str, bytes]:
    outbox = MemoryOutbox()
    asyncio.run(CsvSink(CsvSinkSettings(**options)).publish(job(outbox), rows))
    return outbox.files


def table(content: bytes, delimiter: str = ",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode(), newline=""), delimiter=delimiter, strict=True))


def test_publishes_every_row_in_order():
    rows = [
        answered(0, ["1", 'Good, "really"'], ["pos", "9"]),
        failed(1, ["2", "Hm"], Failure("unparsable", "Two pieces were expected, got 1: 'pos'.")),
        answered(2, ["3", "two\nlines\r\n"], ["neg", "1"]),
        skipped(3, ["4", ""]),
    ]
    files = publish(Rows(["id", "review"], ["sentiment", "score"], rows))
    assert files[".results.csv"].decode() == (
        "id,review,sentiment,score,status,error\n"
        '1,"Good, ""really""",pos,9,ok,\n'
        "2,Hm,,,failed,\"Two pieces were expected, got 1: 'pos'.\"\n"
        '3,"two\nlines\r\n",neg,1,ok,\n'
        "4,,,,skipped,The job was cancelled.\n"
    )
    assert files[".failed.csv"].decode() == "id,review\n2,Hm\n"


def test_without_failed_rows_there_is_no_file_of_failed_rows():
    rows = [answered(0, ["1"], ["x"]), skipped(1, ["2"])]
    assert list(publish(Rows(["id"], ["answer"], rows))) == [".results.csv"]


def test_a_ragged_row_is_returned_with_its_own_cells():
    long = failed(0, ["1", "2"], original=["1", "2", "3,"])
    short = failed(1, ["1", None], original=["1"])
    files = publish(Rows(["a", "b"], ["answer"], [long, short]))
    assert files[".failed.csv"] == b'a,b\n1,2,"3,"\n1\n'
    assert table(files[".results.csv"])[1:] == [
        ["1", "2", "", "failed", "The answer has two pieces."],
        ["1", "", "", "failed", "The answer has two pieces."],
    ]


@pytest.mark.parametrize(
    ("columns", "answers", "own"),
    [
        (["id"], ["answer"], ["status", "error"]),
        (["status", "error"], ["answer"], ["status (2)", "error (2)"]),
        (["status", "status (2)"], ["error"], ["status (3)", "error (2)"]),
    ],
)
def test_our_columns_are_renamed_if_their_names_are_in_use(columns, answers, own):
    row = answered(0, ["x"] * len(columns), ["y"])
    header = table(publish(Rows(columns, answers, [row]))[".results.csv"])[0]
    assert header == [*columns, *answers, *own]


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (None, ""),
        (True, "true"),
        (12, "12"),
        (1.5, "1.5"),
        (-3, "-3"),
        ("", ""),
        ([1, "é"], '[1,"é"]'),
        ({"a": None}, '{"a":null}'),
    ],
)
def test_values_that_are_not_text_are_written_as_json(value, cell):
    files = publish(Rows(["in"], ["out"], [answered(0, [value], [value])]))
    assert table(files[".results.csv"])[1] == [cell, cell, "ok", ""]


FORMULAS = [
    "=1+1",
    "+1+1",
    "-1+1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "=",
    "-",
    "- a list",
    "＝1+1",
    "+84 90 12",
    "-5=2",
]


@pytest.mark.parametrize("text", FORMULAS)
def test_formulas_are_escaped_in_answers_and_errors(text):
    rows = Rows(["in"], ["out"], [answered(0, [text], [text]), failed(1, [text], Failure("x", text))])
    files = publish(rows)
    assert table(files[".results.csv"])[1:] == [[text, f"'{text}", "ok", ""], [text, "", "failed", f"'{text}"]]
    # The failed rows can be dropped again as the same data.
    assert table(files[".failed.csv"])[1:] == [[text]]
    assert table(publish(rows, formulas="keep")[".results.csv"])[1] == [text, text, "ok", ""]


@pytest.mark.parametrize("text", ["-5", "+3.2", "-1,000.50", "-.5", "-1e-7", "+12%", "5-3", "a=b", "'=1", " =1", ""])
def test_numbers_and_ordinary_text_are_unchanged(text):
    assert table(publish(Rows(["in"], ["out"], [answered(0, ["x"], [text])]))[".results.csv"])[1][1] == text


def test_a_byte_order_mark_for_excel():
    files = publish(Rows(["tên"], ["answer"], [failed(0, ["Mận"])]), bom=True)
    assert files[".results.csv"].startswith("\ufefftên,".encode())
    assert files[".failed.csv"] == "\ufefftên\nMận\n".encode()


def test_another_delimiter():
    files = publish(Rows(["a", "b"], ["c"], [failed(0, ["1,5", "x;y"])]), delimiter=";")
    assert files[".failed.csv"] == b'a;b\n"1,5";"x;y"\n'
    assert (
        publish(Rows(["a", "b"], ["c"], [failed(0, ["1^5", "]"])]), delimiter="^")[".failed.csv"] == b'a^b\n"1^5"^]\n'
    )


def test_a_lone_surrogate_does_not_stop_the_delivery():
    files = publish(Rows(["a"], ["b"], [answered(0, ["x"], ["\ud800"])]))
    assert table(files[".results.csv"])[1] == ["x", "\\ud800", "ok", ""]


@pytest.mark.parametrize("options", [{"delimiter": ""}, {"delimiter": '"'}, {"delimiter": "a"}, {"delimiter": ";;"}])
def test_settings_are_checked(options):
    with pytest.raises(ValidationError, match="cannot separate cells"):
        CsvSinkSettings(**options)


# --- dropped again ---------------------------------------------------------------------------------------------

CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12) | st.sampled_from(
    ['"', ",", ";", "\t", "|", "\n", "\r", "\r\n", "\ufeff", " ", "", "sep=;", "=1", "a;b", "x|y,z"]
)
NAMES = CELLS.map(visible).filter(bool)
TABLES = st.integers(1, 4).flatmap(
    lambda width: st.tuples(
        st.lists(NAMES, min_size=width, max_size=width, unique=True),
        st.lists(st.lists(CELLS, min_size=width, max_size=width), min_size=1, max_size=6),
    )
)


@pytest.mark.slow
@settings(PATIENT)
@given(TABLES, st.sampled_from([",", ";", "\t", "|"]), st.booleans())
@example((["sep=;"], [["a"]]), ",", False)
@example((["sep=^"], [["a"]]), ",", False)
@example((["x"], [["\ufeff"], ["a"]]), ",", False)
@example((["a;b", "c"], [["1;2", "3"]]), ",", True)
def test_failed_rows_dropped_again_are_the_same_rows(tmp_path_factory, contents, delimiter, bom):
    columns, cells = contents
    # A reader yields no others.
    cells = [row for row in cells if not is_blank(row) and row != columns]
    assume(cells)
    rows = [failed(number, values) for number, values in enumerate(cells)]
    files = publish(Rows(columns, ["answer"], rows), delimiter=delimiter, bom=bom)
    path = tmp_path_factory.getbasetemp() / "may.failed.csv"
    path.write_bytes(files[".failed.csv"])
    assert read(CsvReader(CsvSettings(delimiter=delimiter)), path) == (columns, cells)
    # Also with the delimiter detected: no cell is split by another one.
    if not any('"' in name for name in columns):
        assert read(CsvReader(CsvSettings()), path) == (columns, cells)


@PATIENT
@given(TABLES)
def test_results_have_the_input_unchanged(tmp_path_factory, contents):
    columns, cells = contents
    rows = [answered(number, values, ["=x"]) for number, values in enumerate(cells)]
    path = tmp_path_factory.getbasetemp() / "may.results.csv"
    path.write_bytes(publish(Rows(columns, ["the answer"], rows))[".results.csv"])
    assert read(CsvReader(CsvSettings()), path)[1] == [[*values, "'=x", "ok", ""] for values in cells]


# --- beside the event loop -------------------------------------------------------------------------------------


class Halting(Rows):
    """Many rows. The second half waits for `go_on`; the thread and the end of the iteration are recorded."""

    def __init__(self) -> None:
        super().__init__(["a"], ["b"], [])
        self.thread: threading.Thread | None = None
        self.halfway = threading.Event()
        self.go_on = threading.Event()
        self.ended = False

    def __iter__(self) -> Iterator[ResultRow]:
        self.thread = threading.current_thread()
        rows = [failed(number, ["x" * 1_000]) for number in range(1_000)]
        try:
            yield from rows
            self.halfway.set()
            self.go_on.wait(10)
            yield from rows
        finally:
            self.ended = True


async def test_writes_in_a_thread_and_stops_when_cancelled():
    rows, outbox = Halting(), MemoryOutbox()
    publishing = asyncio.create_task(CsvSink(CsvSinkSettings()).publish(job(outbox), rows))
    await asyncio.to_thread(rows.halfway.wait, 10)
    publishing.cancel()
    asyncio.get_running_loop().call_soon(rows.go_on.set)  # after the cancellation has arrived, which was first
    with pytest.raises(asyncio.CancelledError):
        await publishing
    assert rows.thread is not threading.main_thread()
    assert rows.ended, "the thread still runs, and would write at the same time as the next try"
    assert outbox.files == {}


async def test_an_error_in_the_thread_is_raised_and_nothing_is_published():
    class Broken(Rows):
        def __iter__(self) -> Iterator[ResultRow]:
            yield failed(0, ["1"])
            raise OSError("the spool is gone")

    outbox = MemoryOutbox()
    with pytest.raises(OSError, match="spool is gone"):
        await CsvSink(CsvSinkSettings()).publish(job(outbox), Broken(["a"], ["b"], []))
    assert outbox.files == {}
