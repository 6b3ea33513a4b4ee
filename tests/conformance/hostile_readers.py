"""Readers that break one promise each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import count
from typing import Any, ClassVar

from batchd import BadRow, Failure, Json, Reader, Settings, Source

from .good_plugins import TabReader

Records = Iterator[Sequence[Json] | BadRow]


class Nameless(TabReader):
    fails = "test_the_first_thing_it_yields_are_the_names_of_the_columns"

    def read(self, source: Source) -> Records:
        names, *records = super().read(source)
        yield ["", *names[1:]] if isinstance(names, list) else names
        yield from records


class Joined(TabReader):
    """Yields the names as one text, so that each letter would be a column."""

    fails = "test_the_first_thing_it_yields_are_the_names_of_the_columns"

    def read(self, source: Source) -> Records:
        records = super().read(source)
        next(records)
        yield "ab"
        yield from records


class Ragged(TabReader):
    fails = "test_every_row_has_one_value_for_each_column"

    def read(self, source: Source) -> Records:
        records = super().read(source)
        yield next(records)
        yield from (record if isinstance(record, BadRow) else [*record, "more"] for record in records)


class Exact(TabReader):
    """Yields numbers of a type that JSON does not have."""

    fails = "test_every_value_is_one_that_json_has"

    def read(self, source: Source) -> Records:
        records = super().read(source)
        yield next(records)
        for record in records:
            yield record if isinstance(record, BadRow) else [Decimal(record[0]), *record[1:]]


class Dropping(TabReader):
    """Loses the last row where it gives many."""

    fails = "test_many_rows_are_read_as_each_is"

    def read_many(self, source: Source) -> Iterator[list[Sequence[Json] | BadRow]]:
        names, *records = self.read(source)
        yield [names]
        yield records[:-1]


class Counting(TabReader):
    fails = "test_reading_again_yields_the_same"
    numbers: ClassVar[count[int]] = count()

    def read(self, source: Source) -> Records:
        records = super().read(source)
        yield next(records)
        for record in records:
            yield record if isinstance(record, BadRow) else [next(self.numbers), *record[1:]]


class Silent(TabReader):
    """Does not say what is wrong with a row."""

    fails = "test_bad_rows_say_what_was_there_and_why_it_will_not_do"

    def read(self, source: Source) -> Records:
        for record in super().read(source):
            yield BadRow(record.values, Failure("ragged", "")) if isinstance(record, BadRow) else record


class Fragile(TabReader):
    """Fails the whole file because of one bad record."""

    fails = "test_a_broken_record_fails_alone"

    def read(self, source: Source) -> Records:
        for record in super().read(source):
            if isinstance(record, BadRow) and len(record.values) > 2:
                raise ValueError("too many cells")
            yield record


class Rude(TabReader):
    """Lets the error of a decoder through."""

    fails = "test_a_file_it_cannot_read_is_refused_in_words"

    def read(self, source: Source) -> Records:
        source.path.read_bytes().decode()
        yield from super().read(source)


class Greedy(TabReader):
    fails = "test_memory_does_not_grow_with_the_file"

    def read(self, source: Source) -> Records:
        yield from list(super().read(source))


class Tidy(TabReader):
    """Changes the dropped file."""

    fails = "test_the_dropped_file_stays_as_it_is"

    def read(self, source: Source) -> Records:
        yield from super().read(source)
        source.path.write_bytes(source.path.read_bytes().replace(b"\r\n", b"\n"))


class Loud(TabReader):
    fails = "test_its_suffixes_are_those_of_its_samples"
    suffixes = (".TAB",)


class Deep(TabReader):
    fails = "test_what_it_says_of_a_file_is_json"

    def describe(self) -> Mapping[str, Any]:
        return {"reader": self}


class Careless(TabReader):
    """Accepts unknown keys."""

    fails = "test_its_settings_are_a_table_of_batchd"

    class Settings(Settings, extra="ignore"):
        pass


class Idle(Reader[Settings]):
    """Finds no rows in anything."""

    fails = "test_samples_have_rows"
    suffixes = (".tab",)

    def read(self, source: Source) -> Records:
        names, *records = TabReader(self.settings).read(source)
        yield names
        if source.name.lower() != "two.tab":
            yield from records
