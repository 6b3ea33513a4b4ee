"""Small plugins from a plugin folder, as a worker process would load them, and files to work on."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from batchd.domain import rows
from batchd.domain.routing import PluginSpec
from batchd.work.planning.plan import PlanTask

PLUGINS = '''
import msgspec
from batchd_files.delimited.csv_sink import CsvSink
from batchd_files.same_sink import SameSink
from batchd_prompts.template import TemplateBuilder

from batchd import BadRow, Failure, PromptBuilder, Reader, Settings, hookimpl


class Cells(Reader):
    """Cells with a comma between them; a line "!" is a record that cannot be a row."""

    suffixes = (".cells",)

    class Settings(Settings):
        width: int | None = None

    def read(self, source):
        with source.open() as lines:
            yield next(lines, b"").decode().rstrip("\\n").split(",")
            for line in lines:
                cells = line.decode().rstrip("\\n").split(",")
                if cells == ["!"]:
                    yield BadRow(cells, Failure("odd", "This record is odd."))
                elif cells[-1] == "half":
                    yield [*cells[:-1], "half \\ud83d"]
                elif cells[-1] == "wide":
                    yield [*cells, "wider"]
                else:
                    yield cells

    def describe(self):
        return {"comma": ","}


class Ask(PromptBuilder):
    """Asks what is in the column `text`."""

    columns = ("answer",)

    class Settings(Settings):
        max_tokens: int | None = None

    def needs(self):
        return ["text"]

    def build(self, row):
        text = row["text"]
        if text == "unaskable":
            return Failure("unaskable", "This row cannot be asked about.")
        if text == "crash":
            raise KeyError("crash")
        if text == "object":
            return {"object": object()}
        body = {"messages": [{"role": "user", "content": text}]}
        if text == "long":
            body["max_tokens"] = 5_000
        if text == "many":
            body["n"] = 3
        return body

    def parse(self, response):
        if response.text == "useless":
            return Failure("useless", "Of no use.", transient=True)
        return {"answer": response.text}


class Ahead(Ask):
    """Encodes three rows at a time, as a faster builder might."""

    def encode(self, rows, common):
        ahead = []
        for row in rows:
            ahead.append(row)
            if len(ahead) == 3:
                yield from super().encode(ahead, common)
                ahead.clear()
        yield from super().encode(ahead, common)


class Fewer(Ask):
    def encode(self, rows, common):
        yield from list(super().encode(rows, common))[:-1]


class More(Ask):
    def encode(self, rows, common):
        for encoded in super().encode(rows, common):
            yield encoded
            yield encoded


class Lines(Ask):
    def encode(self, rows, common):
        for encoded in super().encode(rows, common):
            yield msgspec.json.format(encoded)


class Broken(Ask):
    def encode(self, rows, common):
        raise RuntimeError("never works")
        yield


class OneByOne(TemplateBuilder):
    def parse(self, response):
        return super().parse(response)


class Nervous(TemplateBuilder):
    def parse(self, response):
        if response.text == "raise":
            raise ValueError("never again")
        if response.text == "half":
            return {"one": "\\ud83d", "two": ""}
        if response.text == "short":
            return {"one": "short"}
        return super().parse(response)

    def parse_many(self, texts):
        for text in texts:
            if text == "raise":
                raise ValueError("never again")
            yield ["\\ud83d", ""] if text == "half" else ["short"] if text == "short" else text.split("|")


class CsvByRow(CsvSink):
    def lines(self, shape, rows):
        return super().lines(shape, rows)


class SameByRow(SameSink):
    def lines(self, shape, rows):
        return super().lines(shape, rows)


@hookimpl
def register_readers(register):
    register("cells", Cells)


@hookimpl
def register_sinks(register):
    register("csv-by-row", CsvByRow)
    register("same-by-row", SameByRow)


@hookimpl
def register_prompt_builders(register):
    for builder in (Ask, Ahead, Fewer, More, Lines, Broken, Nervous):
        register(builder.__name__.lower(), builder)
    register("one-by-one", OneByOne)
'''


@pytest.fixture(scope="session")
def plugin_dir(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A plugin folder with the plugins above."""
    folder = tmp_path_factory.mktemp("plugins.d")
    (folder / "small.py").write_text(PLUGINS)
    return str(folder)


class Desk:
    """The files of one job, and the recipes of its plugins."""

    def __init__(self, folder: Path, plugin_dir: str) -> None:
        self.folder = folder
        self.plugin_dir = plugin_dir

    def path(self, name: str) -> str:
        """A file of the job."""
        return str(self.folder / name)

    def write(self, name: str, content: bytes | str) -> str:
        """Write a file of the job."""
        (self.folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
        return self.path(name)

    def read(self, name: str) -> bytes:
        """A file of the job."""
        return (self.folder / name).read_bytes()

    def everything(self) -> dict[str, bytes]:
        """Every file of the job."""
        return {path.name: path.read_bytes() for path in sorted(self.folder.iterdir())}

    def recipe(self, kind: str, **settings: Any) -> PluginSpec:
        """How a worker finds one of the plugins above."""
        return PluginSpec(kind, settings, plugin_dir=self.plugin_dir)


@pytest.fixture
def provider(tmp_path: Path, plugin_dir: str) -> Desk:
    """A job's folder."""
    return Desk(tmp_path, plugin_dir)


def plan_task(
    folder: Path, records: Iterable[Any], builder: PluginSpec, *, before: bytes = b"", behind: bytes = b"", **more: Any
) -> PlanTask:
    """Plan these records, which lie in the file between others."""
    content = b"".join(map(rows.encode, records))
    (folder / "rows.jsonl").write_bytes(before + content + behind)
    known: dict[str, Any] = {
        "job": "job",
        "first": 0,
        "offset": len(before),
        "length": len(content),
        "columns": ["id", "text"],
        "rows": str(folder / "rows.jsonl"),
        "requests": str(folder / "requests.jsonl"),
        "settled": None,
        "failures": str(folder / "results.1.jsonl"),
        "builder": builder,
        "common": {"model": "small"},
        "endpoint": "/v1/chat/completions",
        "max_line_bytes": None,
    }
    return PlanTask(**(known | more))
