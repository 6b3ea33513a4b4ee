"""The daemon's log: sentences on the terminal, JSON lines for programs, priorities for the journal.

Every record has a stable `action` word, and `job` and `batch` if they are known:

    log.info("Received may.csv (27 KB).", extra={"action": "JobClaimed", "job": "k3j9x2ab"})
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import time
from collections.abc import Mapping
from typing import IO, Any, Literal, TypeAlias

from ..errors import BatchdError
from ..secrets.known import covered
from ..secrets.masking import mask as mask

Format: TypeAlias = Literal["text", "json"]

_HINT = "For the traceback, start with --log-level debug."
_COLOURS = {
    logging.DEBUG: "2",
    logging.INFO: "32",
    logging.WARNING: "33",
    logging.ERROR: "31",
    logging.CRITICAL: "31;1",
}
_PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}
# File names are foreign: an escape sequence must not reach a terminal.
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def set_up(
    level: str = "info",
    form: Format = "text",
    *,
    stream: IO[str] | None = None,
    environment: Mapping[str, str] = os.environ,
) -> None:
    """Send the log of this process to `stream` (standard error). Another call replaces the earlier setup."""
    stream = sys.stderr if stream is None else stream
    threshold = logging.getLevelNamesMapping()[level.upper()]
    handler = logging.StreamHandler(stream)
    handler.addFilter(_Ours(logging.INFO if threshold <= logging.DEBUG else logging.WARNING))
    handler.addFilter(_complete)
    handler.setFormatter(_formatter(form, stream, environment, tracebacks=threshold <= logging.DEBUG))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    root.setLevel(threshold)
    # If the log cannot be written, such as on a full disk, logging would print a traceback for each line.
    logging.raiseExceptions = False


class _Ours(logging.Filter):
    """Passes all records of batchd and its plugins, and those of other libraries from a threshold on."""

    def __init__(self, threshold: int) -> None:
        super().__init__()
        self._threshold = threshold

    def filter(self, record: logging.LogRecord) -> bool:
        return record.name.startswith("batchd") or record.levelno >= self._threshold


def _complete(record: logging.LogRecord) -> bool:
    """Add the fields that every record has: `action` is the library's name in records of other libraries."""
    record.action = getattr(record, "action", None) or record.name.partition(".")[0]
    record.job = getattr(record, "job", None)
    record.batch = getattr(record, "batch", None)
    return True


class _Formatter(logging.Formatter):
    """The base of all formats: covers secrets, and shows a traceback only if `tracebacks` is set."""

    def __init__(self, *, tracebacks: bool = False) -> None:
        super().__init__()
        self._tracebacks = tracebacks

    def sentence(self, record: logging.LogRecord) -> str:
        """The message, with the exception as one more sentence."""
        text = record.getMessage()
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            text = f"{text} {in_words(error)}"
            if not self._tracebacks and not isinstance(error, BatchdError):
                text = f"{text} {_HINT}"
        return _shown(text)

    def traceback(self, record: logging.LogRecord) -> str | None:
        """The traceback, at level debug."""
        if not self._tracebacks:
            return None
        pieces = [self.formatException(record.exc_info)] if record.exc_info and record.exc_info[1] else []
        if record.stack_info:
            pieces.append(record.stack_info)
        return _shown("\n".join(pieces)) or None


class TextFormatter(_Formatter):
    """Time, level, job, sentence: for people."""

    def __init__(self, *, tracebacks: bool = False, colour: bool = False) -> None:
        super().__init__(tracebacks=tracebacks)
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.created))
        level = f"{record.levelname.lower():<7}"
        if self._colour:
            level = f"\x1b[{_COLOURS.get(record.levelno, '0')}m{level}\x1b[0m"
        lines = _lines(self, record)
        return "\n".join((f"{moment} {level} {_subject(record)}{lines[0]}", *lines[1:]))


class JournalFormatter(_Formatter):
    """For the journal, which adds the time itself and reads the level from a prefix. Each line is an entry."""

    def format(self, record: logging.LogRecord) -> str:
        prefix = f"<{_PRIORITIES.get(record.levelno, 6)}>"
        lines = _lines(self, record)
        return "\n".join(prefix + line for line in (_subject(record) + lines[0], *lines[1:]))


class JsonFormatter(_Formatter):
    """One object per line: `time`, `level`, `action`, `job`, `batch`, `message`, then the record's other fields."""

    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        entry: dict[str, Any] = {
            "time": f"{moment}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "action": getattr(record, "action", None),
            "job": getattr(record, "job", None),
            "batch": getattr(record, "batch", None),
            "message": self.sentence(record),
            "logger": record.name,
        }
        traceback = self.traceback(record)
        if traceback is not None:
            entry["traceback"] = traceback
        for name, value in vars(record).items():
            if name not in _STANDARD and name not in entry:
                entry[name] = value if isinstance(value, bool | int | float | None) else _covered(str(value))
        return json.dumps({key: value for key, value in entry.items() if value is not None}, ensure_ascii=False)


def in_words(error: BaseException) -> str:
    """An exception as a sentence: batchd's own errors are sentences already."""
    if isinstance(error, BatchdError):
        return str(error)
    message = " ".join(str(error).split())
    return f"{type(error).__name__}: {message or 'no reason given'}{'' if message.endswith('.') else '.'}"


def _formatter(form: Format, stream: IO[str], environment: Mapping[str, str], *, tracebacks: bool) -> _Formatter:
    if form == "json":
        return JsonFormatter(tracebacks=tracebacks)
    if _is_journal(stream, environment):
        return JournalFormatter(tracebacks=tracebacks)
    plain = environment.get("NO_COLOR") or environment.get("TERM") == "dumb"
    return TextFormatter(tracebacks=tracebacks, colour=stream.isatty() and not plain)


def _is_journal(stream: IO[str], environment: Mapping[str, str]) -> bool:
    """Whether the stream still is the one that systemd connected to the journal: it may have been redirected."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return environment.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def _subject(record: logging.LogRecord) -> str:
    subject = " ".join(str(name) for name in (getattr(record, "job", None), getattr(record, "batch", None)) if name)
    return f"[{subject}] " if subject else ""


def _lines(formatter: _Formatter, record: logging.LogRecord) -> list[str]:
    """The sentence and, at level debug, the traceback. Later lines are indented, so none can be forged."""
    first, *rest = formatter.sentence(record).split("\n")
    traceback = formatter.traceback(record)
    if traceback is not None:
        rest += traceback.split("\n")
    return [first, *(f"    {line}" for line in rest)]


def _shown(text: str) -> str:
    """The text with secrets covered and control characters escaped."""
    return _CONTROL.sub(lambda match: ascii(match[0])[1:-1], _covered(text))


def _covered(text: str) -> str:
    return mask(covered(text))
