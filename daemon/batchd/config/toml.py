"""TOML files as text: reads them with clear errors, and knows the place of each key."""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from ..domain.words import Keys
from ..errors import ConfigError

_PART = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')"""
_KEY = re.compile(rf"{_PART}(?:[ \t]*\.[ \t]*{_PART})*")
_HEADER = re.compile(rf"(\[\[?)[ \t]*({_KEY.pattern})[ \t]*\]\]?")
_EQUALS = re.compile(r"[ \t]*=[ \t]*")
_BETWEEN = re.compile(r"(?:\s+|#[^\n]*)+")
# The elements of a value. The order matters: a multi-line string must be tried before a short one.
_TOKEN = re.compile(
    r'''"""(?:[^"\\]|\\.|"(?!""))*"""(?:"{0,2})|\'\'\'(?:[^']|'(?!''))*\'\'\'(?:'{0,2})'''
    r"""|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|\#[^\n]*|[\[{]|[\]}]|\n|[ \t\r]+|[^"'\#\[\]{}\s]+""",
    re.DOTALL,
)
_NO_QUOTE = "the text has no closing quote"
_NO_STATEMENT = "a line must be key = value, or the name of a [table]"
_BACKSLASH = "write a text with a backslash in single quotes"
_IN_PLAIN_WORDS = (
    ("Invalid value", "invalid value. Write text in quotes"),
    ("Expected newline or end of document", "there is more after the value. Write text in quotes, each key on a line"),
    ("Illegal character '\\n'", _NO_QUOTE),
    ("Unterminated string", _NO_QUOTE),
    ('Expected "\'"', _NO_QUOTE),
    ("Cannot overwrite a value", "this key is there twice"),
    ("Cannot declare", "this table is there twice. Put its keys together"),
    ("Expected '=' after a key", _NO_STATEMENT),
    ("Invalid statement", _NO_STATEMENT),
    ("Unclosed array", "the list has no closing ], or no comma between two values"),
    ("Invalid hex value", _BACKSLASH),
    ("Unescaped '\\' in a string", _BACKSLASH),
)
"""How a message of tomllib begins, and what batchd says instead."""
_AT_LINE = re.compile(r" \(at line (\d+), column \d+\)")


class Statement(Struct, frozen=True):
    """A table header, or one `key = value`. `keys` is its path from the root, `section` that of the header above it.

    The statement is from `start` to `end`; `value` is where the value begins (for a header: `end`).
    """

    keys: Keys
    section: Keys
    header: bool
    line: int
    start: int
    value: int
    end: int


class Document(Struct, frozen=True):
    """A TOML file that was read: its text, its data, and its statements in order."""

    path: Path
    text: str
    data: dict[str, Any]
    statements: Sequence[Statement]

    def line(self, keys: Keys) -> int:
        """The line (from 1) where `keys` is set; if it is not set, that of the nearest table around it."""
        while keys:
            for statement in self.statements:
                if statement.keys[: len(keys)] == keys:
                    return statement.line
            keys = keys[:-1]
        return 1


def read(path: Path) -> Document:
    """Read the file. Raises ConfigError with the fault and its line."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise ConfigError(f"There is no configuration at {path}. Write one with: batchd init") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from None
    try:
        # Editors on Windows put a byte order mark in front, which tomllib reads as a broken statement.
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}: this is not UTF-8. Save the file as UTF-8.") from None
    return parse(text, path)


def parse(text: str, path: Path) -> Document:
    """The text as a Document, with `path` for the messages."""
    try:
        data = tomllib.loads(text)
    except RecursionError:
        raise ConfigError(f"{path}: the lists and tables in it are nested too deeply.") from None
    except ValueError as error:
        raise ConfigError(_not_toml(str(error), text, path)) from None
    return Document(path, text, data, tuple(_statements(text)))


def parse_key(text: str) -> tuple[str, ...]:
    """`providers.x.prices."gpt-4.1".input` as its parts, by the rules of TOML."""
    text = text.strip()
    if _KEY.fullmatch(text) is None:
        hint = 'Write it as table.key, and a name with a dot or a space in quotes: prices."gpt-4.1".input'
        raise ConfigError(f"{text!r} is not a key. {hint}")
    return tuple(_parts(text))


def _parts(text: str) -> Iterator[str]:
    node: Any = tomllib.loads(f"{text} = 0")
    while isinstance(node, dict):
        ((name, node),) = node.items()
        yield name


def _not_toml(message: str, text: str, path: Path) -> str:
    match = _AT_LINE.search(message)
    reason = message[: match.start()] if match else message.removesuffix(" (at end of document)")
    line = int(match[1]) if match else text.rstrip("\n").count("\n") + 1
    plain = next((words for start, words in _IN_PLAIN_WORDS if reason.startswith(start)), None)
    return f"{path}:{line}: this is not TOML: {plain or reason[:1].lower() + reason[1:]}."


def _statements(text: str) -> Iterator[Statement]:
    """The statements of a text that tomllib has accepted, so that a simple scan is enough."""
    newlines = [match.start() for match in re.finditer("\n", text)]
    section: Keys = ()
    lists: dict[Keys, int] = {}
    at = 0
    while True:
        between = _BETWEEN.match(text, at)
        at = between.end() if between else at
        if at >= len(text):
            return
        line = bisect_right(newlines, at) + 1
        header = _HEADER.match(text, at)
        if header is not None:
            section = _section(tuple(_parts(header[2])), lists, is_list=header[1] == "[[")
            yield Statement(section, section, True, line, at, header.end(), header.end())
            at = header.end()
            continue
        key = _KEY.match(text, at)
        assert key is not None
        equals = _EQUALS.match(text, key.end())
        assert equals is not None
        value = equals.end()
        end = _value_end(text, value)
        yield Statement((*section, *_parts(key[0])), section, False, line, at, value, end)
        at = end


def _section(names: tuple[str, ...], lists: dict[Keys, int], *, is_list: bool) -> Keys:
    keys: Keys = ()
    for position, name in enumerate(names, start=1):
        keys = (*keys, name)
        if is_list and position == len(names):
            lists[keys] = lists.get(keys, -1) + 1
        if keys in lists:
            keys = (*keys, lists[keys])
    return keys


def _value_end(text: str, start: int) -> int:
    """The end of the value that begins at `start`: before the comment or the line break after it."""
    depth, at, end = 0, start, start
    while at < len(text):
        token = _TOKEN.match(text, at)
        assert token is not None
        first = token[0][0]
        if depth == 0 and first in "\n#":
            break
        depth += (first in "[{") - (first in "]}")
        at = token.end()
        if first not in " \t\r\n#":
            end = at
    return end
