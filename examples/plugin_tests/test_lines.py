from collections.abc import Iterator, Mapping

from lines import LinesReader

from batchd import Settings
from batchd.testing.conformance import ReaderConformance


class TestLines(ReaderConformance):
    def make(self) -> LinesReader:
        return LinesReader(Settings())

    def samples(self) -> Mapping[str, bytes]:
        return {"two.txt": "Good morning.\nChào buổi sáng.\n".encode(), "crlf.txt": b"one\r\ntwo"}

    def broken(self) -> Mapping[str, bytes]:
        return {"bad.txt": b"good\n\xff\xfe\ngood again\n"}

    def large(self, rows: int) -> tuple[str, Iterator[bytes]]:
        return "large.txt", (b"a line of text\n" for _ in range(rows))
