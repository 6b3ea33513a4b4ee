"""A reader. Each line of a text file becomes a row."""

from collections.abc import Iterator, Sequence

from batchd import BadRow, Failure, Reader, Register, Source, hookimpl


class LinesReader(Reader):
    suffixes = (".txt",)

    def read(self, source: Source) -> Iterator[Sequence[str] | BadRow]:
        yield ["text"]
        with source.open() as lines:
            for line in lines:
                try:
                    yield [line.decode("utf-8").rstrip("\r\n")]
                except UnicodeDecodeError:
                    yield BadRow([line.decode("utf-8", "replace")], Failure("encoding", "This line is not UTF-8."))


@hookimpl
def register_readers(register: Register) -> None:
    register("lines", LinesReader)
