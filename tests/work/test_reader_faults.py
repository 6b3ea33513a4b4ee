"""A reader that does not keep its contract: the file is refused in words that name the plugin, and nothing is left."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from batchd.errors import FileRefused
from batchd.work.reading.read import read

from .conftest import Desk
from .test_read import task

pytestmark = pytest.mark.field("files")

READERS = """
from itertools import repeat

from batchd import BadRow, Failure, Reader, hookimpl

NAMES = ["id", "text"]


class Base(Reader):
    records = ()

    def read(self, source):
        yield NAMES
        yield from self.records


def of(*records):
    return type("Wrong", (Base,), {"records": records})


class Nothing(Base):
    def read(self, source):
        yield from ()


class NoHeader(Base):
    def read(self, source):
        yield "id,text"


class NumberedHeader(Base):
    def read(self, source):
        yield [1, 2]


class Header(Base):
    def read(self, source):
        yield BadRow(["id"], Failure("odd", "Odd."))


class NoGenerator(Base):
    def read(self, source):
        pass


class Raising(Base):
    def read(self, source):
        yield NAMES
        yield ["1", "one"]
        raise KeyError("cell")


class RaisingAtOnce(Base):
    def read(self, source):
        raise KeyError("cell")


class Leaving(Base):
    def read(self, source):
        yield NAMES
        raise SystemExit(3)


class NoBlocks(Base):
    def read_many(self, source):
        yield [NAMES]
        yield None


class EndlessBlocks(Base):
    def read_many(self, source):
        yield [NAMES]
        yield from repeat([])


class Endless(Base):
    records = repeat(["1", "one"])


class EndlessBlank(Base):
    records = repeat(["", ""])


class EndlessBad(Base):
    records = repeat(BadRow(["1"], Failure("odd", "Odd.")))


class Results(Base):
    def read(self, source):
        yield [*NAMES, "answer", "status"]
        yield ["1", "one"]


class NoFacts(Base):
    records = [["1", "one"]]

    def describe(self):
        return {"facts": object()}


class NoDialect(Base):
    records = [["1", "one"]]

    def dialect(self):
        return "csv"


class NoPackage(Base):
    def read(self, source):
        yield NAMES
        import no_such_package


class NoDisk(Base):
    def read(self, source):
        yield NAMES
        raise OSError(5, "Input/output error")


@hookimpl
def register_readers(register):
    register("wide", of(["1", "one", "more"]))
    register("short", of(["", ""], ["1"]))
    register("word", of("ab"))
    register("number", of(7))
    register("none", of(["1", "one"], None))
    register("record", of({"id": "1", "text": "one"}))
    register("object", of(["1", object()]))
    register("bad", of(BadRow(None, None)))
    for each in (
        Nothing, NoHeader, NumberedHeader, Header, NoGenerator, Raising, RaisingAtOnce, Leaving, NoBlocks,
        EndlessBlocks, Endless, EndlessBlank, EndlessBad, NoFacts, NoDialect, NoPackage, NoDisk, Results,
    ):
        register(each.__name__.lower(), each)
"""

SAID = {
    "wide": "yields 2 columns, but also the row ['1', 'one', 'more']",
    "short": "yields 2 columns, but also the row ['1']",
    "word": "also the row 'ab'",
    "number": "also the row 7",
    "none": "also the row None",
    "record": "also the row {'id'",
    "object": "yields a value that JSON does not have",
    "bad": "yields a BadRow without",
    "nothing": "yields nothing, not even the names",
    "noheader": "yields 'id,text' first",
    "numberedheader": "the name of a column that is no text: 1",
    "header": "first, and no list of the names",
    "nogenerator": "returns a NoneType, and no generator",
    "raising": "raised KeyError: 'cell'",
    "raisingatonce": "raised KeyError: 'cell'",
    "leaving": "raised SystemExit: 3",
    "noblocks": "yields a NoneType from read_many",
    "endlessblocks": "like one that never ends",
    "endless": "like one that never ends",
    "endlessblank": "like one that never ends",
    "endlessbad": "like one that never ends",
    "nofacts": "object",
    "nodialect": "returns a str from dialect",
}


@pytest.fixture(scope="module")
def readers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plugins.d")
    (folder / "wrong.py").write_text(READERS)
    return folder


@pytest.fixture
def desk(tmp_path: Path, readers: Path, plugin_dir: str) -> Desk:
    ask = Path(plugin_dir, "small.py")
    (readers / "small.py").write_text(ask.read_text())
    return Desk(tmp_path, str(readers))


def test_whatever_a_reader_does_wrong_the_file_is_refused_and_the_plugin_named(desk: Desk) -> None:
    faults = []
    for kind, said in SAID.items():
        try:
            read(task(desk, reader=desk.recipe(kind, max_unpacked=5_000)))
        except FileRefused as refused:
            told = str(refused)
            named = 'plugin "wrong"' in told and "wrong.py" in told
            if not (named and said in told and refused.code == "reader"):
                faults.append(f"{kind}: {told}")
        else:
            faults.append(f"{kind}: was read")
    assert not faults, "\n".join(faults)
    assert set(desk.everything()) <= {"source", "rows.jsonl"}


def test_what_only_the_machine_lacks_does_not_refuse_the_file(desk: Desk) -> None:
    with pytest.raises(ModuleNotFoundError):
        read(task(desk, reader=desk.recipe("nopackage")))
    with pytest.raises(OSError, match="Input/output"):
        read(task(desk, reader=desk.recipe("nodisk")))


@pytest.mark.parametrize("kind", ["short", "nothing", "raising"])
def test_in_an_archive_too(desk: Desk, kind: str) -> None:
    with zipfile.ZipFile(desk.path("source"), "w") as archive:
        archive.writestr("a.cells", "id,text\n")
        archive.writestr("b.cells", "id,text\n")
    given = task(
        desk, Path(desk.path("source")).read_bytes(), name="may.zip", formats=["zip", "cells"], reader=desk.recipe(kind)
    )
    with pytest.raises(FileRefused, match=r'a\.cells(.|\n)*plugin "wrong"'):
        read(given)


def test_in_a_file_of_results_too(desk: Desk) -> None:
    with pytest.raises(FileRefused, match="also the row"):
        read(task(desk, name="may.results.cells", reader=desk.recipe("results")))
