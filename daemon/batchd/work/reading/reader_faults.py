"""What readers do wrong, found while they read: the file is refused in words that name the plugin."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ...contracts import Reader, Source
from ...errors import BatchdError, FileRefused
from ...model import BadRow, Failure
from ...plugin.blame import home_of_class, place_of
from ...plugin.sources import raised
from ...plugin_base import overrides_last

_OF_THE_MACHINE = (BatchdError, OSError, MemoryError, ImportError)
"""What passes once somebody has seen to the disk, the memory or the packages: the file waits, and is read again."""
LEAST_ROW = 32
"""Bytes that a row counts at least, towards the most that may come out of a file."""


def broken(reader: Reader[Any] | None, how: str) -> FileRefused:
    """The reader does not keep its contract: it `yields` this or that."""
    return _refused(f"The reader {_named(reader)} breaks its contract: it {how}"[:500])


def read_by(reader: Reader[Any], source: Source) -> Generator[Sequence[Any], None, None]:
    """The records of the file, some at a time. FileRefused, which names the plugin, for what it does wrong."""
    many = overrides_last(reader, "read_many", "read")
    with blaming(reader):
        found = reader.read_many(source) if many else reader.read(source)
    if not isinstance(found, Iterator):
        raise broken(reader, f"returns a {type(found).__name__}, and no generator.")
    with blaming(reader):
        if not many:
            for record in found:
                yield [record]
            return
        for block in found:
            if not isinstance(block, list | tuple):
                raise broken(reader, f"yields a {type(block).__name__} from read_many, and no list of rows.")
            yield block


@contextmanager
def blaming(reader: Reader[Any] | None) -> Iterator[None]:
    """What the reader raises in here is its fault, unless it is one of the machine."""
    try:
        yield
    except _OF_THE_MACHINE:
        raise
    except (Exception, SystemExit) as error:  # any exception of a plugin
        where = place_of(error) or f"The reader {_named(reader)}"
        raise _refused(f"{where} raised {raised(error)}.") from error


def _refused(fault: str) -> FileRefused:
    return FileRefused(
        "reader",
        "It could not be read: the program that reads such files has a fault. There is nothing to change in the file. "
        "Tell the operator; once the program is fixed, drop the file again.\n"
        f"For the operator: {fault} Fix the plugin, then reload batchd.",
    )


def _named(reader: Reader[Any] | None) -> str:
    if reader is None:
        return "of this file"
    home = home_of_class(type(reader))
    return type(reader).__name__ + (f" of {home}" if home else "")


def names_of(blocks: Iterator[Sequence[Any]], reader: Reader[Any] | None) -> list[str]:
    """The names of the columns, which come first; empty if the file has none."""
    names = next(iter(next(blocks, ())), None)
    if names is None:
        raise broken(reader, "yields nothing, not even the names of the columns.")
    if not isinstance(names, Sequence) or isinstance(names, str | bytes):
        raise broken(reader, f"yields {names!r} first, and no list of the names of the columns.")
    for name in names:
        if not isinstance(name, str):
            raise broken(reader, f"yields the name of a column that is no text: {name!r}.")
    return list(names)


def checked(records: Sequence[Any], width: int, reader: Reader[Any] | None) -> Sequence[Any]:
    """These records, if each is a BadRow or has a value for each column."""
    for record in records:
        # The first check suffices for nearly all.
        if type(record) is list and len(record) == width:
            continue
        if isinstance(record, BadRow):
            if isinstance(record.values, list | tuple) and isinstance(record.failure, Failure):
                continue
            raise broken(reader, f"yields a BadRow without a list of values and a Failure: {record!r}.")
        if not isinstance(record, Sequence) or isinstance(record, str | bytes) or len(record) != width:
            raise broken(reader, f"yields {width} columns, but also the row {record!r}.")
    return records
