"""The question beside the data: reads a `question.md` and makes a route that asks it.

Front matter, in TOML between two lines of +++, may set the form of the answer and nothing else: only the operator sets
what costs money.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping

from ..model import Json
from ..values import replace
from .never_taken import QUESTION
from .routing import PluginSpec, Route

NAME = QUESTION
MAX_BYTES = 65_536
FORM = ("columns", "separator", "schema")
PLACEHOLDER = "(the question is in question.md)"
_FENCE = "+++"
_ANSWERS = (*FORM, "regex", "json", "schema_mode")
_ROW = "\n\n{% for column, cell in row.items() %}{{ column }}: {{ cell }}\n{% endfor %}"


def with_question(route: Route, folder: str, content: bytes) -> Route:
    """Return the route with the question of a folder, or with a `fault` in words if that cannot be asked."""
    question: dict[str, Json] = {"folder": folder, "sha256": hashlib.sha256(content).hexdigest()}
    try:
        settings = _settings(route.prompt.settings, content)
    except ValueError as error:
        return without_question(route, folder, f"{_place(folder)} cannot be asked. {error}")
    return replace(route, prompt=PluginSpec(route.prompt.kind, settings), question=question)


def without_question(route: Route, folder: str, fault: str) -> Route:
    """Return the route of a file whose question cannot be asked, with the reason."""
    return replace(route, question={"folder": folder, "sha256": "", "fault": fault})


def _place(folder: str) -> str:
    return f"{folder}/{NAME}" if folder else NAME


def no_question(folder: str) -> str:
    """The sentence that there is no question for the files of a folder."""
    where = f"the folder {folder}" if folder else "the inbox"
    return f"There is no question for this file. Write one into {NAME} in {where}"


def changed(question: Mapping[str, Json]) -> str:
    """Return why a job is held whose folder had another question before."""
    return (
        f"the question in {_place(question['folder'])} has changed since a job was sent with it, so a person must look "
        "at it before rows are paid for. After one approval the new question counts as known"
    )


def rejected_words(question: Mapping[str, Json]) -> str:
    """Return what to tell the person whose file is rejected because its question cannot be asked."""
    return (
        f"{question['fault']} Then drop the file again.\n"
        f'For the operator: the route has questions = "folder", so {NAME} beside the files says what is asked.'
    )


def _settings(written: Mapping[str, Json], content: bytes) -> dict[str, Json]:
    """Return the prompt's settings with this question. Raise ValueError with a sentence if the file has none."""
    if len(content) > MAX_BYTES:
        raise ValueError(f"It has {len(content):,} bytes, and may have {MAX_BYTES:,}: every row is asked with it.")
    try:
        text = content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError:
        raise ValueError("It is not UTF-8. Save it as UTF-8 text.") from None
    form, text = _parted(text)
    text = text.strip()
    if not text:
        raise ValueError("It holds no question. Write one.")
    settings = {key: value for key, value in written.items() if not form or key not in _ANSWERS or key == "schema_mode"}
    if form and "schema" not in form:
        settings.pop("schema_mode", None)
    # A question that names no column is about the whole row.
    asked = text if "{{" in text or "{%" in text else text + _ROW
    return {**settings, **form, "user": asked}


def _parted(text: str) -> tuple[dict[str, Json], str]:
    """Return the front matter and the text after it."""
    lines = text.lstrip("\n").split("\n")
    if lines[0].rstrip() == "---":
        raise ValueError(f"It begins with ---. Put what stands there between two lines of {_FENCE}, in TOML.")
    if lines[0].rstrip() != _FENCE:
        return {}, text
    end = next((number for number, line in enumerate(lines[1:], start=1) if line.rstrip() == _FENCE), None)
    if end is None:
        raise ValueError(f"The {_FENCE} at its beginning has no {_FENCE} that ends it.")
    try:
        form = tomllib.loads("\n".join(lines[1:end]))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ValueError(f"What stands between its lines of {_FENCE} is not TOML: {error}.") from None
    other = next((key for key in form if key not in FORM), None)
    if other is not None:
        known = ", ".join(FORM)
        raise ValueError(f"“{other}” cannot be set in it, only {known}. Ask the operator for another {other}.")
    return form, "\n".join(lines[end + 1 :])
