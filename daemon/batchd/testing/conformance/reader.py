"""The tests of a Reader."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ...contracts import Reader, Source
from ...errors import FileRefused
from ...model import BadRow
from .memory import Looks, grows, homes_of
from .plugin import PluginConformance, bad_row, explained, no_json, skip

GARBAGE = bytes(range(256)) * 20


class ReaderConformance(PluginConformance):
    """Inherit it and write `make` and `samples`; with `broken`, `refused` and `large` it tests more.

    class TestMyReader(ReaderConformance):
        def make(self) -> MyReader:
            return MyReader(MyReader.Settings())

        def samples(self) -> Mapping[str, bytes]:
            return {"two.tab": b"id\\ttext\\n1\\tyes\\n2\\tno\\n"}
    """

    def make(self) -> Reader[Any]:
        raise NotImplementedError("Write make(self): it returns a new reader.")

    def samples(self) -> Mapping[str, bytes]:
        """Good files: name to content, each with some rows."""
        raise NotImplementedError("Write samples(self): it returns good files, name to content.")

    def broken(self) -> Mapping[str, bytes]:
        """Files in which some records cannot be rows, while others can."""
        return {}

    def refused(self) -> Mapping[str, bytes]:
        """Files that cannot be read at all."""
        return {}

    def large(self, rows: int) -> tuple[str, Iterator[bytes]] | None:
        """A file with this many rows: its name, and its content piece by piece."""
        del rows
        return None

    def test_the_first_thing_it_yields_are_the_names_of_the_columns(self) -> None:
        """The column names come once, and are non-empty, unique texts."""
        for source in self._samples():
            names = next(iter(self.make().read(source)), None)
            where = f"The first thing that read() yields of {source.name}"
            assert isinstance(names, Sequence), f"{where} is {names!r}; it must be the list of column names."
            assert not isinstance(names, str | bytes), f"{where} is the text {names!r}; it must be a list of names."
            assert names, f"{where} is an empty list; a table has columns."
            for name in names:
                assert isinstance(name, str), f"{where} names the column {name!r}, which is not text."
                assert name, f"{where} has a column without a name: {list(names)!r}. Call it `column_2` or the like."
            doubles = sorted({name for name in names if list(names).count(name) > 1})
            assert not doubles, f"{where} names {doubles} twice. Refuse such a file, or give the second another name."

    def test_every_row_has_one_value_for_each_column(self) -> None:
        """Each row has one value per column; any other record is a BadRow."""
        for source in (*self._samples(), *_written(self.folder, self.broken())):
            names, *records = self._read_as_far_as_it_goes(source)
            for number, record in enumerate(records):
                if isinstance(record, BadRow):
                    continue
                assert isinstance(record, Sequence), f"Row {number} of {source.name} is {record!r}; it must be a list."
                assert not isinstance(record, str | bytes), f"Row {number} of {source.name} is the text {record!r}."
                assert len(record) == len(names), (
                    f"Row {number} of {source.name} has {len(record)} values for {len(names)} columns: {record!r}. "
                    "Yield a BadRow for it."
                )

    def test_every_value_is_one_that_json_has(self) -> None:
        """Values are None, bool, int, float, str, list or dict: batchd stores rows as JSON."""
        for source in self._samples():
            for number, record in enumerate(self._read(source)[1:]):
                if not isinstance(record, BadRow):
                    no = no_json(list(record))
                    assert no is None, f"Row {number} of {source.name} holds {no}. Turn it into text or a number."

    def test_reading_again_yields_the_same(self) -> None:
        """The same object, and a new one as after a crash, read the same."""
        for source in self._samples():
            reader = self.make()
            first = list(reader.read(source))
            assert list(reader.read(source)) == first, f"Read again by the same object, {source.name} differs."
            assert self._read(source) == first, f"Read again by a new object, as after a crash, {source.name} differs."

    def test_many_rows_are_read_as_each_is(self) -> None:
        """`read_many` gives what `read` gives: a list with the names, then lists of rows."""
        for source in (*self._samples(), *_written(self.folder, self.broken())):
            try:
                each, again = self._read(source), self._read(source)
            except Exception:  # noqa: BLE001, S112  # what it raises is the question of other tests
                continue
            if each != again:
                continue  # other tests check whether it reads the same twice
            names, *blocks = self.make().read_many(source)
            many = [*names, *(record for block in blocks for record in block)]
            assert len(names) == 1, f"The first list of {source.name} holds more than the names: {names!r}."
            assert many == each, f"read_many() gives other rows of {source.name} than read() does."

    def test_samples_have_rows(self) -> None:
        """Without rows in a sample, the other tests would check nothing."""
        for source in self._samples():
            records = self._read(source)[1:]
            good = sum(not isinstance(record, BadRow) for record in records)
            assert good, f"No row came out of the sample {source.name}: {records!r}."

    def test_bad_rows_say_what_was_there_and_why_it_will_not_do(self) -> None:
        """A BadRow has a list of values, and a Failure with a code and a sentence."""
        for source in (*self._samples(), *_written(self.folder, self.broken())):
            for number, record in enumerate(self._read_as_far_as_it_goes(source)[1:]):
                if isinstance(record, BadRow):
                    bad_row(record, f"row {number} of {source.name}")

    def test_a_broken_record_fails_alone(self) -> None:
        """Each file of `broken()` gives at least one BadRow and one good row."""
        broken = list(_written(self.folder, self.broken()))
        if not broken:
            skip("no broken() files to ask about")
        for source in broken:
            with explained(
                f"One broken record brought all of {source.name} down:", ". Yield a BadRow for it and go on."
            ):
                records = self._read(source)[1:]
            bad = sum(isinstance(record, BadRow) for record in records)
            assert bad, f"Nothing in {source.name} was found to be broken: {records!r}."
            assert bad < len(records), f"Everything in {source.name} was found to be broken: {records!r}."

    def test_a_file_it_cannot_read_is_refused_in_words(self) -> None:
        """Empty files, noise and those of `refused()` give a FileRefused, or rows; nothing else is raised."""
        suffix = Path(next(iter(self.samples()))).suffix
        may = {f"empty{suffix}": b"", f"noise{suffix}": GARBAGE, f"nul{suffix}": b"\0" * 100}
        for source in _written(self.folder, {**may, **self.refused()}):
            refusal = None
            with explained(
                f"Reading {source.name} raised",
                ". A file that cannot be read is a FileRefused(code, sentence), which batchd puts next to the file for "
                "the person who dropped it.",
            ):
                try:
                    self._read(source)
                except FileRefused as error:
                    refusal = error
            if refusal is not None:
                _check_refusal(refusal, f"The FileRefused of {source.name}")
            else:
                assert source.name not in self.refused(), f"{source.name} was to be refused, and was read."

    def test_memory_does_not_grow_with_the_file(self) -> None:
        """Ten times the rows take no more memory."""
        if self.large(1) is None:
            skip("no large() file to ask about")

        def run(rows: int, looks: Looks) -> None:
            named = self.large(rows)
            assert named is not None
            path = self.folder / f"{rows}{Path(named[0]).suffix}"
            with path.open("wb") as file:
                file.writelines(named[1])
            count = -1
            for count, _ in enumerate(self.make().read(Source(path, named[0]))):
                looks.row(count)
            assert count == rows, f"large({rows}) came out as {count} rows."

        much = grows(run, *self.rows_to_compare, homes_of(type(self.make()), type(self)))
        assert much is None, f"Memory grows with the file: {much}. Yield each row as it is read; keep none."

    def test_the_dropped_file_stays_as_it_is(self) -> None:
        """The original goes to the archive byte for byte."""
        for source in self._samples():
            before = source.path.read_bytes()
            self._read(source)
            assert source.path.read_bytes() == before, f"Reading {source.name} has changed it."

    def test_its_suffixes_are_those_of_its_samples(self) -> None:
        """Suffixes are in lower case with the dot. A reader without any is only used if a route names it."""
        suffixes = type(self.make()).suffixes
        assert isinstance(suffixes, tuple), f'`suffixes` is {suffixes!r}; write a tuple, with a comma: (".tab",).'
        for suffix in suffixes:
            assert isinstance(suffix, str), f"The suffix {suffix!r} is not text."
            good = suffix.startswith(".") and suffix == suffix.lower() and len(suffix) > 1
            assert good, f'The suffix {suffix!r} must be in lower case and begin with its dot, as in ".tab".'
        for name in self.samples() if suffixes else ():
            own = Source(Path(name), name).suffix
            assert own in suffixes, f"The sample {name} ends in none of {suffixes}, so the reader would not be asked."

    def test_what_it_says_of_a_file_is_json(self) -> None:
        """`describe` goes into the report."""
        for source in self._samples():
            reader = self.make()
            list(reader.read(source))
            facts = reader.describe()
            assert isinstance(facts, Mapping), f"describe() returned {facts!r}; it must be a mapping."
            assert not no_json(dict(facts)), f"describe() returned {no_json(dict(facts))}, which a report cannot hold."

    def _samples(self) -> Iterator[Source]:
        samples = self.samples()
        assert samples, "samples() returned no files; there is nothing to ask about."
        return _written(self.folder, samples)

    def _read(self, source: Source) -> list[Any]:
        return list(self.make().read(source))

    def _read_as_far_as_it_goes(self, source: Source) -> list[Any]:
        records = []
        # Other tests check whether it may raise.
        with suppress(Exception):
            for record in self.make().read(source):
                records.append(record)  # noqa: PERF402  # what came before an exception counts
        return records


def _written(folder: Path, files: Mapping[str, bytes]) -> Iterator[Source]:
    for number, (name, content) in enumerate(files.items()):
        # In the spool every dropped file is called `source`, so a reader must take the suffix from `name`.
        path = folder / f"{number}-{len(content)}" / "source"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        yield Source(path, name)


def _check_refusal(refusal: FileRefused, what: str) -> None:
    code: object = refusal.code
    assert isinstance(code, str), f"The code of {what} is {code!r}; it must be a word for programs."
    assert code, f"{what} has no code for programs."
    assert " " in str(refusal), f"{what} must tell a person what to do; it says {str(refusal)!r}."
    assert not no_json(str(refusal)), f"{what} cannot be written down: {no_json(str(refusal))}."
