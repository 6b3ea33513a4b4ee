"""The file that answers are downloaded to: it takes as much as the answers can have, and no line without end."""

from __future__ import annotations

from typing import IO, Any, cast

from ..errors import ProviderError
from ..work.answer_bounds import AnswerBounds

MIN_LINE = 1_000_000


class TooManyAnswers(ProviderError):
    """The service sends more than the answers to the requests can have."""


def bounded(file: IO[bytes], bounds: AnswerBounds | None, *, provider: str, requests: int) -> IO[bytes]:
    """The file with these bounds, from where it is now."""
    return file if bounds is None else cast("IO[bytes]", _Bounded(file, bounds, provider, requests))


class _Bounded:
    """Refuses what is too much. A line that is too long is cut: its row is known by what is left of it."""

    def __init__(self, file: IO[bytes], bounds: AnswerBounds, provider: str, requests: int) -> None:
        self._file = file
        self._most = bounds.total
        self._longest = max(MIN_LINE, bounds.line)
        self._about = (provider, requests)
        self._start = file.tell()
        self._arrived = 0
        self._line = 0

    def write(self, chunk: bytes) -> int:
        """Write what fits."""
        for start in range(0, len(chunk), MIN_LINE):
            self._write(chunk[start : start + MIN_LINE])
        return len(chunk)

    def _write(self, chunk: bytes) -> None:
        # At most as long as a line may be, so only its first and its last line can be too long.
        self._arrived += len(chunk)
        if self._arrived > self._most:
            provider, requests = self._about
            raise TooManyAnswers(
                f"{provider} sends more than {self._most / 1e6:,.0f} MB, which is more than the answers to these "
                f"{requests:,} requests can have, so the download was ended. Nothing is asked again. If this goes on, "
                "ask the service, or cancel the job."
            )
        first = chunk.find(b"\n")
        line = self._line + (len(chunk) if first < 0 else first)
        if line <= self._longest:
            self._line = line if first < 0 else len(chunk) - chunk.rfind(b"\n") - 1
            self._file.write(chunk)
        else:
            self._file.write(chunk[: max(0, self._longest - self._line)])
            if first < 0:
                self._line = line
            else:
                self._line = len(chunk) - chunk.rfind(b"\n") - 1
                self._file.write(chunk[first:])

    def seek(self, offset: int, whence: int = 0) -> int:
        """Mostly back to the start, for another try."""
        at = self._file.seek(offset, whence)
        self._arrived, self._line = at - self._start, 0
        return at

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)
