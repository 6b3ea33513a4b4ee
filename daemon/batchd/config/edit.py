"""Reads and writes single keys of config.toml: checks the result before writing, keeps comments and layout."""

from __future__ import annotations

import contextlib
import copy
import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomli_w
from msgspec import Struct

from ..domain.words import Keys, nearest, show_key
from ..errors import ConfigError
from ..files import replacing
from ..plugin.catalogue import Catalogue
from ..plugin.validation import looks_secret
from ..secrets.literals import names_secret, value_is_secret
from ..secrets.masking import mask
from ..settings import Secret
from . import toml as toml_text
from .load import Config, check_document
from .toml import Document, Statement

HIDDEN = "***"
"""Shown in place of a secret. If it is written into a configuration, the service refuses it."""


class Change(Struct, frozen=True):
    """The result of `set_value`. If not `comments_kept`, the file was rewritten: the same settings, no comments."""

    key: str
    value: Any
    comments_kept: bool
    config: Config

    @property
    def sentence(self) -> str:
        lost = "" if self.comments_kept else " The file had to be rewritten, so its comments are gone."
        return f"Set {self.key} in {self.config.path}.{lost}"


def get(path: Path, dotted_key: str) -> Any:
    """The value or table of the key in the file, with secrets covered. Raises ConfigError if the key is not set."""
    keys = toml_text.parse_key(dotted_key)
    node: Any = toml_text.read(path).data
    for position, key in enumerate(keys):
        if not isinstance(node, dict) or key not in node:
            meant = nearest(key, node) if isinstance(node, dict) else None
            hint = f"; did you mean {show_key((*keys[:position], meant))}?" if meant else "."
            raise ConfigError(f"{path} does not set {show_key(keys)}{hint}")
        node = node[key]
    return _covered(node, keys)


def whole(path: Path) -> Any:
    return _covered(toml_text.read(path).data, ())


def without_secrets(document: Document) -> tuple[str, list[str]]:
    """The text of the file with literal secrets covered, in comments too, and the keys that held one."""
    pieces, hidden, at = [], [], 0
    for statement in document.statements:
        value = None if statement.header else _at(document.data, statement.keys)
        covered = _covered(value, statement.keys)
        pieces.append(mask(document.text[at : statement.start]))
        if covered == value:
            pieces.append(document.text[statement.start : statement.end])
        else:
            pieces += [document.text[statement.start : statement.value], _inline(covered)]
            hidden.append(show_key(statement.keys))
        at = statement.end
    pieces.append(mask(document.text[at:]))
    return "".join(pieces), hidden


def set_value(path: Path, dotted_key: str, text: str, catalogue: Catalogue) -> Change:
    """Set the key to `text`, a TOML value or else a string. Raises ConfigError, and writes nothing, if it is wrong."""
    keys = toml_text.parse_key(dotted_key)
    document = toml_text.read(path)
    value = parse_value(text)
    data = _with(document.data, keys, value, path)
    edited = _edit(document, keys, value)
    comments_kept = edited is not None and _says(edited, data)
    if edited is None or not comments_kept:
        edited = tomli_w.dumps(data)
        comments_kept = comments_kept or "#" not in document.text
    new = toml_text.parse(edited, path)
    config = check_document(new, catalogue)
    _write(path, edited)
    return Change(show_key(keys), value, comments_kept, config)


def parse_value(text: str) -> Any:
    """The text as one TOML value; as a string if it is not one."""
    try:
        parsed = tomllib.loads(f"value = {text}")
    except ValueError:
        return text
    # More than one key: the text had a line break in it, and another statement after that.
    return parsed["value"] if len(parsed) == 1 else text


def _with(data: Mapping[str, Any], keys: tuple[str, ...], value: Any, path: Path) -> dict[str, Any]:
    changed = copy.deepcopy(dict(data))
    table = changed
    for position, key in enumerate(keys[:-1], start=1):
        table = table.setdefault(key, {})
        if not isinstance(table, dict):
            raise ConfigError(
                f"{show_key(keys[:position])} in {path} is not a table; it cannot contain {show_key(keys)}."
            )
    table[keys[-1]] = value
    return changed


def _edit(document: Document, keys: tuple[str, ...], value: Any) -> str | None:
    """The text with one statement changed or added, None if that does not suffice."""
    text, statements = document.text, document.statements
    for statement in statements:
        depth = len(statement.keys)
        if statement.header or statement.keys != keys[:depth]:
            continue
        # The statement of the key, or one whose inline table holds it.
        inside = keys[depth:]
        whole = value if not inside else _with(_at(document.data, statement.keys), inside, value, document.path)
        return text[: statement.value] + _inline(whole) + text[statement.end :]
    if any(statement.keys[: len(keys)] == keys for statement in statements):
        return None  # a table of its own, perhaps in several places
    if isinstance(value, dict):
        for key in reversed(keys):
            value = {key: value}
        return _appended(document, tomli_w.dumps(value))
    return _inserted(document, keys, value)


def _inserted(document: Document, keys: Keys, value: Any) -> str:
    """The text with a new `key = value`, after its siblings if it has any."""
    siblings = [each for each in document.statements if not each.header and each.keys[:-1] == keys[:-1]]
    headers = [each for each in document.statements if each.header and each.keys == keys[:-1]]
    if siblings:
        place = siblings[-1]
        return _after(document, place, f"{show_key(keys[len(place.section) :])} = {_inline(value)}")
    if headers:
        return _after(document, headers[0], f"{show_key(keys[-1:])} = {_inline(value)}")
    line = f"{show_key(keys[-1:])} = {_inline(value)}"
    if len(keys) == 1:
        # Before all tables: a line after a header belongs to its table.
        return f"{line}{_newline(document.text) * 2}{document.text}"
    return _appended(document, f"[{show_key(keys[:-1])}]\n{line}\n")


def _after(document: Document, statement: Statement, line: str) -> str:
    """The text with a new line after the statement, with the same indent."""
    text = document.text
    begin = text.rfind("\n", 0, statement.start) + 1
    indent = text[begin : statement.start]
    end = text.find("\n", statement.end)
    if end < 0:
        return f"{text}{_newline(text)}{indent}{line}{_newline(text)}"
    return f"{text[: end + 1]}{indent}{line}{_newline(text)}{text[end + 1 :]}"


def _appended(document: Document, lines: str) -> str:
    text, newline = document.text, _newline(document.text)
    gap = "" if not text else newline if text.endswith("\n") else newline * 2
    return text + gap + lines.replace("\n", newline)


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _inline(value: Any) -> str:
    """The value on one line. Tables are formatted here, since tomli-w writes them as sections."""
    if isinstance(value, dict):
        pairs = (f"{show_key((key,))} = {_inline(item)}" for key, item in value.items())
        return "{ " + ", ".join(pairs) + " }" if value else "{}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_inline, value)) + "]"
    return tomli_w.dumps({"value": value}).removeprefix("value = ").rstrip("\n")


def _at(data: Any, keys: Keys) -> Any:
    for key in keys:
        data = data[key]
    return data


def _says(text: str, data: Mapping[str, Any]) -> bool:
    """Whether the text means exactly this data. The order of routes counts, since they are tried in that order."""
    try:
        parsed = tomllib.loads(text)
    except ValueError:
        return False
    return _as_json(parsed) == _as_json(data) and list(parsed.get("routes", ())) == list(data.get("routes", ()))


def _as_json(data: Any) -> str:
    # To compare by: in Python 1, 1.0 and True are equal, and nan does not equal nan.
    return json.dumps(data, sort_keys=True, default=repr)


def _covered(node: Any, keys: Keys) -> Any:
    """The value with literal secrets covered: people copy it from the terminal into logs and tickets."""
    if isinstance(node, dict):
        return {key: _covered(item, (*keys, key)) for key, item in node.items()}
    if isinstance(node, list):
        return [_covered(item, keys) for item in node]
    if isinstance(node, str) and Secret(node).literal and (_named_secret(keys) or value_is_secret(node)):
        return HIDDEN
    return node


def _named_secret(keys: Keys) -> bool:
    """Whether one of the keys is that of a secret. Services name headers and queries, so more names count there."""
    names = [str(key) for key in keys]
    foreign = bool({"headers", "query"} & set(names[:-1]))
    return any(looks_secret(name) for name in names) or (foreign and names_secret(names[-1]))


def _write(path: Path, text: str) -> None:
    """Replace the file at `path`, also through a link, with the same owner and mode: it may contain a secret."""
    target = path.resolve()
    status = target.stat()
    with replacing(target) as file:
        os.fchmod(file.fileno(), status.st_mode & 0o7777)
        # Root may edit a file that another user's daemon has to read; other users can only edit their own.
        with contextlib.suppress(PermissionError):
            os.fchown(file.fileno(), status.st_uid, status.st_gid)
        file.write(text.encode())
