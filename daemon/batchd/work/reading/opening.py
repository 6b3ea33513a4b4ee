"""Opens a dropped file as one table, whatever it is packed in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from ...columns import free_names
from ...contracts import Reader, Source
from ...domain.formats import ARCHIVE, PACKED, not_taken, suffix_of, takes, without_packing
from ...domain.routing import PluginSpec
from ...domain.rows import is_blank
from ...errors import FileRefused
from ...model import BadRow, Dialect, Json
from ...values import replace
from ...workers import worker_plugins
from .reader_faults import LEAST_ROW, blaming, broken, checked, names_of, read_by
from .unpacking import Pictures, Unpacked, limits_of, unpacked

FILE = "file"
"""The column with the name of the file in the archive, if there are several."""


@dataclass(slots=True)
class OpenedFile:
    """The records of a file in blocks, the names of the columns first, and what is known once they are read.

    `most` is how many bytes of rows the file may give.
    """

    blocks: Iterator[Sequence[Any]]
    most: int
    facts: Mapping[str, Json] = field(default_factory=dict)
    reader: Reader[Any] | None = None

    def describe(self) -> dict[str, Json]:
        """Facts about the file, for the report."""
        if self.reader is None:
            return dict(self.facts)
        with blaming(self.reader):
            described = dict(self.reader.describe())
            msgspec.json.encode(described)
        return {**described, **self.facts}

    def dialect(self) -> Dialect | None:
        """How the file is written, if its Reader tells."""
        if self.reader is None:
            return None
        with blaming(self.reader):
            found = self.reader.dialect()
        if found is not None and not isinstance(found, Dialect):
            raise broken(self.reader, f"returns a {type(found).__name__} from dialect, and no Dialect.")
        return found


@contextmanager
def opened(
    source: Source, folder: Path, spec: PluginSpec, formats: Sequence[str] | None, pictures: Pictures | None = None
) -> Iterator[OpenedFile]:
    """Open the file as a table, unpacked into `folder` if it is packed, its `pictures` kept. Raise FileRefused."""
    _require_taken(source.name, spec, formats)
    if worker_plugins.reads(spec, source.suffix):
        yield _single(Unpacked([source]), spec)
        return

    def is_table(name: str) -> bool:
        suffix = suffix_of(name)
        if not worker_plugins.reads(spec, suffix):
            return False
        return takes(suffix, formats, asked_for=worker_plugins.only_if_named(spec, suffix))

    with unpacked(source, folder, limits_of(spec.settings), is_table, pictures) as found:
        yield _joined(found, spec) if len(found.tables) > 1 else _single(found, spec)


def _require_taken(name: str, spec: PluginSpec, formats: Sequence[str] | None) -> None:
    inside = without_packing(name)
    inner = suffix_of(inside)
    known = worker_plugins.reads(spec, inner)
    if known or inner == ARCHIVE:
        if not takes(inner, formats, asked_for=not known or worker_plugins.only_if_named(spec, inner)):
            raise FileRefused("format", not_taken(inner, formats))
    elif inside != name and not spec.kind and inner not in PACKED:
        packing = name[len(inside) :]
        raise FileRefused(
            "suffix",
            f"Its name does not say what is compressed in it. Call it {inside.rpartition('/')[2]}.csv{packing}, if it "
            "is a CSV file, and drop it again.",
        )


def _single(found: Unpacked, spec: PluginSpec) -> OpenedFile:
    [source] = found.tables
    reader = worker_plugins.reader(spec, source.suffix)
    return OpenedFile(read_by(reader, source), _most([source], spec), found.facts, reader)


def _most(tables: Sequence[Source], spec: PluginSpec) -> int:
    """Return how many bytes of rows these may give: max_unpacked for texts that repeat, LEAST_ROW for each byte."""
    return limits_of(spec.settings).max_unpacked + LEAST_ROW * sum(each.path.stat().st_size for each in tables)


def _joined(found: Unpacked, spec: PluginSpec) -> OpenedFile:
    """Join several tables with the same columns into one, with a column for the name of each table."""
    members = found.members or []
    headers = [_header(source, spec) for source in found.tables]
    columns = headers[0]
    for member, header in zip(members, headers, strict=True):
        if sorted(header) != sorted(columns):
            other = sorted(set(header) ^ set(columns))[:5]
            differing = ", ".join(f"“{name}”" for name in other)
            raise FileRefused(
                "columns",
                f"The tables in this archive have different columns: “{members[0]}” and “{member}” differ in "
                f"{differing}. Give them the same columns, or drop them one by one.",
            )
    [name] = free_names(columns, [FILE])
    table = OpenedFile(iter(()), _most(found.tables, spec), {**found.facts, "files": len(members)})

    def blocks() -> Iterator[Sequence[Any]]:
        yield [[*columns, name]]
        for source, member, header in zip(found.tables, members, headers, strict=True):
            table.reader = reader = worker_plugins.reader(spec, source.suffix)
            order = [header.index(column) for column in columns]
            same = order == list(range(len(columns)))

            def with_name(record: Any, order: Sequence[int] = order, member: str = member, same: bool = same) -> Any:
                if isinstance(record, BadRow):
                    return _placed(record, order, member)
                if is_blank(record):
                    return [*record, None]
                return [*record, member] if same else [*(record[place] for place in order), member]

            read = read_by(reader, source)
            with _named(member):
                next(read)
                for block in read:
                    yield list(map(with_name, checked(block, len(header), reader)))

    table.blocks = blocks()
    return table


def _placed(record: BadRow, order: Sequence[int], member: str) -> BadRow:
    """Put the values of a bad row under the columns of the first table, if it is certain which value is whose."""
    values, failure = record.values, record.failure
    # A single value may be a whole line, which the sink of its form gives back unchanged.
    if len(values) == len(order) > 1:
        return BadRow([*(values[place] for place in order), member], failure)
    return BadRow(values, replace(failure, message=f"In “{member}”: {failure.message}"))


def _header(source: Source, spec: PluginSpec) -> list[str]:
    with _named(source.name):
        reader = worker_plugins.reader(spec, source.suffix)
        records = read_by(reader, source)
        try:
            return names_of(records, reader)
        finally:
            records.close()


@contextmanager
def _named(member: str) -> Iterator[None]:
    try:
        yield
    except FileRefused as refusal:
        raise FileRefused(refusal.code, f"In “{member}”: {refusal}") from None
