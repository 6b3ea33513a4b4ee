"""Examples: rows with their answers, which a model is shown before the question."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from batchd import Body, Failure, Json, Row

if TYPE_CHECKING:
    from .answers import Answers
    from .template_settings import TemplateSettings

MAX_BYTES, MAX_EXAMPLES = 65_536, 100
"""Each request and each job's snapshot carries all examples."""
ANSWER = "answer"


def read_examples(path: Path) -> list[dict[str, Json]]:
    """The rows of a file of examples. ValueError with a sentence if it cannot be used."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ValueError(f"The file of examples {path} cannot be read: {error.strerror}.") from None
    if len(content) > MAX_BYTES:
        raise ValueError(
            f"The file of examples {path} has more than {MAX_BYTES:,} bytes, and every request would carry and pay for "
            "them. Keep the best of them."
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"The file of examples {path} is not UTF-8. Save it as UTF-8 text.") from None
    rows = list(_of_lines(text, path) if path.suffix.lower() in (".jsonl", ".ndjson") else _of_table(text, path))
    if not rows:
        raise ValueError(f"The file of examples {path} has no row. Write some, or take examples out.")
    if len(rows) > MAX_EXAMPLES:
        raise ValueError(f"The file of examples {path} has {len(rows):,} rows, and may have {MAX_EXAMPLES}.")
    return rows


def _of_lines(text: str, path: Path) -> Iterable[dict[str, Json]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict):
            raise ValueError(f"Line {number} of the file of examples {path} is not a JSON object.")
        yield row


def _of_table(text: str, path: Path) -> Iterable[dict[str, Json]]:
    first = text.partition("\n")[0]
    delimiter = max(",;\t|", key=first.count)
    try:
        header, *records = [
            each for each in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if any(each)
        ]
    except (ValueError, csv.Error):
        raise ValueError(f"The file of examples {path} is not a table with a header line.") from None
    for number, record in enumerate(records, start=1):
        if len(record) != len(header):
            raise ValueError(
                f"Example {number} of {path} has {len(record)} cells, and the header has {len(header)} columns."
            )
        yield dict(zip(header, record, strict=True))


def checked_examples(settings: TemplateSettings) -> list[Body]:
    """The examples as messages. ValueError with a sentence if one of them cannot be used."""
    if not settings.examples:
        return []
    if len(settings.examples) > MAX_EXAMPLES:
        raise ValueError(f"There are {len(settings.examples):,} examples, and there may be {MAX_EXAMPLES}.")
    answers = settings.answers()
    question = settings.templates()[-1][1]
    messages: list[Body] = []
    for number, example in enumerate(settings.examples, start=1):
        asked = question.render(Row(number, tuple(example), tuple(example.values())))
        if isinstance(asked, Failure):
            raise ValueError(f"Example {number} cannot be shown: {asked.message}")
        messages.append({"role": "user", "content": asked})
        messages.append({"role": "assistant", "content": _answer(number, example, answers)})
    return messages


def _answer(number: int, example: Mapping[str, Json], answers: Answers) -> str:
    """The answer of an example as a model would write it."""
    text = answers.written(example)
    if text is None and isinstance(example.get(ANSWER), str):
        text = example[ANSWER]
    if text is None or not text.strip():
        wanted = ", ".join(f"“{column}”" for column in answers.columns)
        also = "" if answers.columns == (ANSWER,) else f", or the whole answer in a column “{ANSWER}”"
        raise ValueError(f"Example {number} has no answer: give it the column {wanted}{also}.")
    read = answers.read(text)
    if isinstance(read, Failure):
        raise ValueError(f"The answer of example {number} could not be read as one: {read.correction}.")
    return text
