"""Finds what Readers do wrong while they read: the file is refused with a message that names the plugin."""

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
"""Errors that pass once the operator has seen to the disk, the memory or the packages: the file waits until then."""
LEAST_ROW = 32
"""Bytes that a blank record counts as, and that a byte of the file may become, in the limit of what a file may give."""


def broken(reader: Reader[Any] | None, how: str) -> FileRefused:
    """Return the refusal of a file whose Reader breaks its contract. `how` says what the Reader does."""
    return _refused(f"The reader {_named(reader)} breaks its contract: it {how}"[:500])


def read_by(reader: Reader[Any], source: Source) -> Generator[Sequence[Any], None, None]:
    """Yield the records of the file in blocks. Raise FileRefused, which names the plugin, if the Reader is at fault."""
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
    """Turn what the Reader raises in the block into FileRefused, except errors of the machine."""
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
    """Return the records. Raise FileRefused unless each is a BadRow or has a value for each column."""
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
