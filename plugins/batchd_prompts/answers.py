"""Reads a model's answer into columns: as it is, in pieces, or as JSON of the requested schema."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace

from batchd import Failure, Json, Response

from .json_answers import JsonReader, json_values, unfenced, unparsable


class Answers(ABC):
    """A way to read answers into `columns`."""

    columns: Sequence[str]

    @abstractmethod
    def read(self, text: str) -> Mapping[str, Json] | Failure:
        """The values of the columns, from the answer's text."""

    def cells(self, text: str) -> list[Json] | None:
        """The values in the order of the columns; None if the text cannot be read."""
        read = self.read(text)
        return None if isinstance(read, Failure) else [read[column] for column in self.columns]

    def written(self, values: Mapping[str, Json]) -> str | None:  # noqa: ARG002  # not all forms can be written
        """An answer with these values, as a model would write it; None if there is no such text."""
        return None

    def read_arguments(self, arguments: Mapping[str, Json], text: str) -> Mapping[str, Json] | Failure:
        """The values of the columns, from the arguments of a tool call; `text` is how they were written."""
        if set(self.columns) <= arguments.keys():
            return {column: _cell(arguments[column]) for column in self.columns}
        return self.read(text)


class WholeText(Answers):
    """The whole text as one column."""

    def __init__(self, column: str) -> None:
        self.columns = (column,)

    def read(self, text: str) -> Mapping[str, Json]:
        return {self.columns[0]: text}

    def cells(self, text: str) -> list[Json]:
        return [text]

    def written(self, values: Mapping[str, Json]) -> str | None:
        return _text(values.get(self.columns[0]))


class Separated(Answers):
    """One piece for each column, with a separator between them."""

    def __init__(self, columns: Sequence[str], separator: str) -> None:
        self.columns = tuple(columns)
        self._separator = separator

    def read(self, text: str) -> Mapping[str, Json] | Failure:
        pieces = unfenced(text).strip().split(self._separator)
        if len(pieces) != len(self.columns):
            return unparsable(
                f"expected {len(self.columns)} pieces separated by {self._separator!r}, got {len(pieces)}", text
            )
        return {column: piece.strip() for column, piece in zip(self.columns, pieces, strict=True)}

    def cells(self, text: str) -> list[Json] | None:
        pieces = (unfenced(text) if "```" in text else text).strip().split(self._separator)
        return list(map(str.strip, pieces)) if len(pieces) == len(self.columns) else None

    def written(self, values: Mapping[str, Json]) -> str | None:
        if not set(self.columns) <= values.keys():
            return None
        return self._separator.join(_text(values[column]) or "" for column in self.columns)


class Matched(Answers):
    """The named groups of a regular expression, at its first match. Raises ValueError with a sentence without any."""

    def __init__(self, pattern: str) -> None:
        try:
            self._pattern = re.compile(pattern)
        except (re.error, RecursionError, OverflowError) as error:
            raise ValueError(f"The regex is not valid: {error}.") from None
        self.columns = tuple(self._pattern.groupindex)
        if not self.columns:
            raise ValueError('The regex has no named group, such as "(?P<score>[0-9]+)". Each becomes a column.')

    def read(self, text: str) -> Mapping[str, Json] | Failure:
        found = self._pattern.search(text)
        if found is None:
            return unparsable(f"the regular expression {self._pattern.pattern} does not match it", text)
        return {column: None if found[column] is None else found[column].strip() for column in self.columns}

    def read_arguments(self, arguments: Mapping[str, Json], text: str) -> Mapping[str, Json] | Failure:  # noqa: ARG002  # the pattern reads the text
        return self.read(text)


class JsonText(Answers):
    """JSON of any form: in one column as it is, or the keys of an object in several."""

    def __init__(self, columns: Sequence[str]) -> None:
        self.columns = tuple(columns)

    def read(self, text: str) -> Mapping[str, Json] | Failure:
        values = json_values(text)
        if len(self.columns) > 1:
            fitting = [each for each in values if isinstance(each, dict) and set(self.columns) <= each.keys()]
            if values and not fitting:
                wanted = ", ".join(f"“{column}”" for column in self.columns)
                return unparsable(f"expected a JSON object with {wanted}", text)
            values = fitting
        if len(values) != 1:
            return unparsable(f"it has {len(values)} JSON values, and not one" if values else "expected JSON", text)
        if len(self.columns) == 1:
            return {self.columns[0]: values[0]}
        return {column: values[0][column] for column in self.columns}

    def written(self, values: Mapping[str, Json]) -> str | None:
        if not set(self.columns) <= values.keys():
            return None
        if len(self.columns) == 1:
            return _text(values[self.columns[0]])
        return json.dumps({column: values[column] for column in self.columns}, ensure_ascii=False)


class Structured(Answers):
    """A JSON object whose properties are the columns."""

    def __init__(self, schema: Mapping[str, Json]) -> None:
        self.columns = tuple(schema["properties"])
        self._reader = JsonReader(schema)

    def read(self, text: str) -> Mapping[str, Json] | Failure:
        """Read the JSON even with words, a fence or a list around it: the answer is paid for in any case."""
        answer = self._reader.read(text)
        return answer if isinstance(answer, Failure) else {column: answer.get(column) for column in self.columns}

    def written(self, values: Mapping[str, Json]) -> str | None:
        given = {column: values[column] for column in self.columns if column in values}
        fitted = self._reader.fitted(given) if given else ""
        return None if isinstance(fitted, str) else json.dumps(fitted, ensure_ascii=False)

    def read_arguments(self, arguments: Mapping[str, Json], text: str) -> Mapping[str, Json] | Failure:  # noqa: ARG002  # the schema reads the text
        return self.read(text)


def read_answer(response: Response, answers: Answers, *, keep_thinking: bool = False) -> Mapping[str, Json] | Failure:
    """The columns of an answer, or why there are none."""
    failure = response.failure
    if failure is not None:
        return failure
    text = (response.text if keep_thinking else response.answer) or ""
    calls = response.tool_arguments
    if calls and (not text.strip() or response.finish_reason not in {None, "stop"}):
        return _from_tools(calls, answers)
    if text.strip():
        read = answers.read(text)
        return _from_tools(calls, answers) if calls and isinstance(read, Failure) else read
    thinking = response.thinking or response.text
    if thinking is not None and isinstance(answers, Structured):
        # Some servers take a whole JSON answer for thinking, and some models never end their thinking.
        read = answers.read(thinking)
        if not isinstance(read, Failure):
            return read
    only = ", only its thinking" if thinking and thinking.strip() else ""
    return Failure("no_text", f"The model answered without any text{only}.", transient=True)


def _from_tools(calls: Sequence[Json], answers: Answers) -> Mapping[str, Json] | Failure:
    """Read the arguments of a single tool call. A failure is never transient: asking again would bring the same."""
    if len(calls) != 1:
        return Failure(
            "tool_calls",
            f"The model called {len(calls)} tools, and batchd reads the answer from one call. For the operator: allow "
            "one call in the route's params (parallel_tool_calls = false), or remove tools from them.",
        )
    arguments = calls[0]
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    value = arguments
    if isinstance(arguments, str):
        try:
            value = json.loads(arguments, strict=False)
        except (ValueError, RecursionError):
            value = None
    read = answers.read_arguments(value, text) if isinstance(value, dict) else answers.read(text)
    return replace(read, transient=False) if isinstance(read, Failure) else read


def _text(value: Json) -> str | None:
    return value if isinstance(value, str) or value is None else json.dumps(value, ensure_ascii=False)


def _cell(value: Json) -> Json:
    return value if isinstance(value, str | int | float | bool) or value is None else json.dumps(value)
