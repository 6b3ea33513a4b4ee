"""The built-in plugins pass the conformance kit, loaded like any other plugin and tested with a real server."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
import xlsxwriter

from batchd import Body, Row
from batchd.plugin.catalogue import Catalogue
from batchd.testing.conformance import (
    BatchProviderConformance,
    ExecutorConformance,
    LiveProviderConformance,
    PromptBuilderConformance,
    ReaderConformance,
    SinkConformance,
)
from batchd.testing.fakes import InlineExecutor

from ..sandbox.sandbox_kit import SandboxProcess

CATALOGUE = Catalogue.load()
ROWS_TO_COMPARE = (1_000, 8_000)
"""A file of which each row is kept takes more than a megabyte. Each piece of memory is noted, so more take seconds."""


def review_lines(rows: int, line: str) -> Iterator[bytes]:
    """The lines of a file."""
    for number in range(rows):
        yield line.format(number=number).encode()


# --- readers ---------------------------------------------------------------------------------------------------


class TestCsvReader(ReaderConformance):
    """CSV as people save it."""

    rows_to_compare = ROWS_TO_COMPARE
    module = "batchd_files"

    def make(self) -> Any:
        return CATALOGUE.create("reader", "csv", {})

    def samples(self) -> Mapping[str, bytes]:
        return {
            "plain.csv": b'id,review\n1,Good.\n2,"two\nlines, ""quoted"""\n',
            "bom.CSV": "\ufeffid,review\r\n1,Đẹp\u2028\x85👍🏽\r\n".encode(),
            "semicolons.csv": b"id;review;stars\n1;Good;5\n2;Bad;1\n",
            "wide.tsv": b"id\treview\n1\tGood.\n",
            "utf16.csv": "id,review\n1,Đẹp\n".encode("utf-16"),
        }

    def broken(self) -> Mapping[str, bytes]:
        return {"ragged.csv": b"id,review\n1\n2,Good.\n3,Too,many\n"}

    def refused(self) -> Mapping[str, bytes]:
        return {
            "header.csv": b"id,review\n",
            "latin.csv": b"id,review\n1,caf\xe9\n",
            "workbook.csv": b"PK\x03\x04" + b"\x00" * 60,
        }

    def large(self, rows: int) -> tuple[str, Iterator[bytes]]:
        def lines() -> Iterator[bytes]:
            yield b"id,review\n"
            yield from review_lines(rows, '{number},"Review number {number}, as long as such reviews usually are."\n')

        return "large.csv", lines()


class TestJsonlReader(ReaderConformance):
    """JSON Lines."""

    rows_to_compare = ROWS_TO_COMPARE
    module = "batchd_files"

    def make(self) -> Any:
        return CATALOGUE.create("reader", "jsonl", {})

    def samples(self) -> Mapping[str, bytes]:
        return {
            "plain.jsonl": b'{"id": 1, "review": "Good."}\n{"id": 2, "review": null}\n',
            "nested.jsonl": '{"id": 1, "body": {"a": [1, 2.5, {"b": "\u2028"}]}}\r\n'.encode(),
        }

    def broken(self) -> Mapping[str, bytes]:
        return {"broken.jsonl": b'{"id": 1}\n{"id": 2\n{"id": 3}\n'}

    def large(self, rows: int) -> tuple[str, Iterator[bytes]]:
        line = '{{"id": {number}, "review": "Review number {number}, as long as such reviews usually are."}}\n'
        return "large.jsonl", review_lines(rows, line)


class TestXlsxReader(ReaderConformance):
    """Workbooks, as XlsxWriter writes them."""

    rows_to_compare = ROWS_TO_COMPARE
    module = "batchd_tables"

    def make(self) -> Any:
        return CATALOGUE.create("reader", "xlsx", {})

    def samples(self) -> Mapping[str, bytes]:
        return {"plain.xlsx": workbook([["id", "review"], [1, "Good."], [2.5, "Đẹp\u2028"], [None, True]])}

    def broken(self) -> Mapping[str, bytes]:
        return {"beside.xlsx": workbook([["id"], [1], [2, "?"], [3]])}

    def refused(self) -> Mapping[str, bytes]:
        return {"empty.xlsx": workbook([]), "header.xlsx": workbook([["id"]]), "text.xlsx": b"id\n1\n"}

    def large(self, rows: int) -> tuple[str, Iterator[bytes]]:
        with xlsxwriter.Workbook(path := self.folder / "made.xlsx", {"constant_memory": True}) as book:
            sheet = book.add_worksheet()
            sheet.write_row(0, 0, ["id", "review"])
            for number in range(1, rows + 1):
                sheet.write_row(number, 0, [number, f"Review number {number}, as long as such reviews usually are."])
        return "large.xlsx", iter([path.read_bytes()])


def workbook(rows: Sequence[Sequence[Any]]) -> bytes:
    """A workbook with these rows."""
    with xlsxwriter.Workbook(file := io.BytesIO(), {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        for number, row in enumerate(rows):
            sheet.write_row(number, 0, row)
    return file.getvalue()


# --- prompt builders -------------------------------------------------------------------------------------------

ROWS = [
    Row(0, ["id", "review"], ["1", "Good."]),
    Row(1, ["id", "review"], ["2", 'Quotes ", {{ braces }}, lines\nand\u2028separators']),
    Row(7, ["id", "review"], ["3", "Đẹp 👍🏽"]),
]


class TestTemplate(PromptBuilderConformance):
    """A template for which any text is an answer."""

    module = "batchd_prompts"
    settings: Mapping[str, Any] = {"user": "Review: {{ review }}"}

    def make(self) -> Any:
        return CATALOGUE.create("prompt_builder", "template", dict(self.settings))

    def rows(self) -> Sequence[Row]:
        return ROWS


class TestTemplateWithPieces(TestTemplate):
    """An answer in pieces."""

    settings = {
        "system": "Answer as SENTIMENT|QUALITY.",
        "user": "Review {{ id }}: {{ review }}",
        "columns": ["sentiment", "quality"],
        "separator": "|",
    }

    def answers(self) -> Sequence[str]:
        return ["good|bad", " good | bad "]


class TestTemplateWithSchema(TestTemplate):
    """Structured output."""

    settings = {
        "user": "Review: {{ review }}",
        "schema": {
            "type": "object",
            "properties": {"label": {"type": "string"}, "score": {"type": "number"}},
            "required": ["label", "score"],
        },
    }

    def answers(self) -> Sequence[str]:
        return ['{"label": "good", "score": 1.5}']


class TestPassthrough(PromptBuilderConformance):
    """Complete requests."""

    module = "batchd_prompts"

    def make(self) -> Any:
        return CATALOGUE.create("prompt_builder", "passthrough", {})

    def rows(self) -> Sequence[Row]:
        columns = ["custom_id", "method", "url", "body"]
        body: Body = {"messages": [{"role": "user", "content": "Good."}], "max_tokens": 5}
        return [Row(0, columns, ["mine-1", "POST", "/v1/chat/completions", body])]


# --- executors -------------------------------------------------------------------------------------------------


class TestLocal(ExecutorConformance):
    """Processes of this machine."""

    module = "batchd.workers.hooks"

    def make(self) -> Any:
        executor = CATALOGUE.create("executor", "local", {})
        executor.number = 2
        return executor


class TestInline(ExecutorConformance):
    """Runs tasks at once, for tests."""

    module = "batchd.testing.fakes"
    on_the_loop = True

    def make(self) -> Any:
        return InlineExecutor()


# --- sinks -----------------------------------------------------------------------------------------------------


class TestCsvSink(SinkConformance):
    """The table with its answers."""

    rows_to_compare = ROWS_TO_COMPARE
    module = "batchd_files"
    kind, settings = "csv", {"bom": True, "delimiter": ";"}

    def make(self) -> Any:
        return CATALOGUE.create("sink", self.kind, self.settings)


class TestSameSink(TestCsvSink):
    """The form of the dropped file, which these rows do not tell."""

    kind, settings = "same", {}


class TestXlsxSink(TestCsvSink):
    """Workbooks, each made in one piece."""

    module = "batchd_tables"
    kind, settings = "xlsx", {}


class TestParquetSink(TestCsvSink):
    """Typed columns, each file made in one piece."""

    module = "batchd_tables"
    kind, settings = "parquet", {}


class TestJsonlSink(TestCsvSink):
    """The provider's own lines."""

    kind, settings = "jsonl", {}


# --- providers -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A sandbox server in its own process; yields the address of its API."""
    process = SandboxProcess(tmp_path_factory.mktemp("sandbox"), ("--instant",))
    try:
        yield asyncio.run(process.start())
    finally:
        process.end()


def provider(address: str) -> Any:
    """The provider `openai`, connected to the sandbox."""
    return CATALOGUE.create("provider", "openai", {"base_url": address, "api_key": "sandbox-key"})


class TestOpenAI(BatchProviderConformance):
    """As a batch provider."""

    module = "batchd_openai"
    address: str

    @pytest.fixture(autouse=True)
    def _connected(self, sandbox: str) -> None:
        self.address = sandbox

    def make(self) -> Any:
        return provider(self.address)


class TestOpenAILive(LiveProviderConformance):
    """As a live provider."""

    module = "batchd_openai"
    address: str

    @pytest.fixture(autouse=True)
    def _connected(self, sandbox: str) -> None:
        self.address = sandbox

    def make(self) -> Any:
        return provider(self.address)

    def refused(self) -> Body:
        return {"model": "sandbox-small", "messages": "not a list"}
