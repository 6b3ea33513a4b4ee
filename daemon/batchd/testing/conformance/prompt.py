"""The tests of a PromptBuilder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from functools import partial
from typing import Any

import msgspec

from ...columns import cell_text
from ...contracts import PromptBuilder
from ...model import Body, Failure, Json, Response, Row
from ...plugin_base import overrides_last
from ...requests.rules import body_faults
from .plugin import PluginConformance, explained, failure, no_json

COMMON: Body = {"model": "small", "max_tokens": 50, "temperature": 0, "metadata": {"a": [1, "é"]}}

# Values that cells may hold in place of plain text. A row without a possible request is a Failure, not an exception.
ODD_VALUES: Sequence[Json] = (
    None,
    "",
    " ",
    0,
    -1,
    1.5,
    True,
    [],
    {},
    ["a", {"b": None}],
    {"c": [1]},
    "\u2028\x85\x0b",
    "\x00",
    "{{ x }} {% if %}",
    "</system>",
    "Đẹp 👍🏽",
    "x" * 20_000,
)

# Answers of services that are not plain text.
ODD_BODIES: Sequence[Body] = (
    {},
    {"choices": []},
    {"choices": [{"message": {"content": None}, "finish_reason": "stop"}]},
    {"choices": [{"message": {"content": ""}, "finish_reason": "stop"}]},
    {"choices": [{"message": {"content": "cut off in the mid"}, "finish_reason": "length"}]},
    {"choices": [{"message": {"content": None, "refusal": "I cannot."}, "finish_reason": "stop"}]},
    {"choices": [{"message": {"content": None, "tool_calls": [{"function": {"name": "f", "arguments": "{"}}]}}]},
    {"choices": [{"message": {"content": None, "tool_calls": "none"}}]},
    {"choices": [{"message": {"content": '```json\n{"a": 1}\n```'}}]},
    {"choices": [{"message": {"content": '{"a": NaN, "b": "\\ud83d"}'}}]},
    {"choices": [{"message": {"content": "[1, 2"}}]},
    {"choices": [{"message": {"content": "a|b|c|d|e|f|g|h"}}]},
    {"choices": [{"message": {"content": "null"}}]},
    {"output": [{"type": "message", "content": [{"type": "output_text", "text": "Yes."}]}]},
    {"data": [{"embedding": [0.5, 0.25]}]},
    {"results": [{"flagged": True}]},
)

# Texts of answers, most of them odd.
ODD_TEXTS: Sequence[str] = (
    "",
    " \n",
    "\u200b",
    "<think>Short.</think>\n\nGood.",
    "<think>",
    "```\na|b|c\n```",
    " a | b | c ",
    "a|b|c|d|e|f|g|h",
    '```json\n{"a": 1}\n```',
    '{"a": 1} or {"a": 2}',
    "[1, 2",
    "null",
    "\ufeffDẹp 👍🏽\u2028",
)


class PromptBuilderConformance(PluginConformance):
    """Inherit it and write `make`, `rows` and, unless any text is a good answer, `answers`.

    class TestMyPrompt(PromptBuilderConformance):
        def make(self) -> MyPrompt:
            return MyPrompt(MyPrompt.Settings())

        def rows(self) -> Sequence[Row]:
            return [Row(0, ["review"], ["Great."]), Row(1, ["review"], ["Awful."])]
    """

    def make(self) -> PromptBuilder[Any]:
        raise NotImplementedError("Write make(self): it returns a new prompt builder.")

    def rows(self) -> Sequence[Row]:
        """Rows of one file that can be asked about."""
        raise NotImplementedError("Write rows(self): it returns rows of one file that can be asked about.")

    def answers(self) -> Sequence[str]:
        """Texts that are good answers."""
        return ["An answer."]

    def test_a_row_becomes_a_body(self) -> None:
        """`build` returns a JSON object or a Failure; for `rows()` it must be an object."""
        builder = self.make()
        for row in self._rows():
            body = builder.build(row)
            assert isinstance(body, dict), f"build() of row {row.number} returned {body!r}; it must be a dict."
            assert not no_json(body), f"The body of row {row.number} holds {no_json(body)}, which JSON does not have."

    def test_the_same_row_always_becomes_the_same_body(self) -> None:
        """The same object and a new one build the same, in any order; otherwise a crash would change the requests."""
        builder = self.make()
        first = [builder.build(_copied(row)) for row in self._rows()]
        again = [builder.build(_copied(row)) for row in reversed(self._rows())][::-1]
        anew = [self.make().build(_copied(row)) for row in self._rows()]
        for row, *bodies in zip(self._rows(), first, again, anew, strict=True):
            assert bodies[0] == bodies[1] == bodies[2], (
                f"build() gave row {row.number} different bodies: {bodies!r}. It must depend on the row and the "
                "settings alone: no clock, no chance, no counter."
            )

    def test_building_leaves_the_row_alone(self) -> None:
        """`build` does not change the row, which others read too."""
        builder = self.make()
        for row in self._rows():
            copy = _copied(row)
            builder.build(copy)
            same = (list(copy.columns), list(copy.values)) == (list(row.columns), list(row.values))
            assert same, f"build() has changed row {row.number}: {copy!r} was {row!r}."

    def test_odd_values_are_failures_at_worst(self) -> None:
        """With any value in a cell, the row gets a body or a Failure; nothing is raised."""
        builder = self.make()
        for row in self._odd_rows():
            what = f"the row {str(row.values)[:200]}"
            with explained(
                "build() raised", f" for {what}. Return a Failure(code, sentence): it fails that row alone."
            ):
                body = builder.build(row)
            if isinstance(body, Failure):
                failure(body, what)

    def test_many_rows_are_encoded_as_each_is_built(self) -> None:
        """`encode` gives one body for each row, in order: what `build` gives, with the route's parameters added."""
        rows = [*self._steady_rows(), *self._steady_rows()]
        for common in ({}, COMMON):
            builder = self.make()
            encoded = list(builder.encode(map(_copied, rows), dict(common)))
            assert len(encoded) == len(rows), f"encode() gave {len(encoded)} bodies for {len(rows)} rows."
            for row, got in zip(rows, encoded, strict=True):
                built = builder.build(_copied(row))
                if isinstance(built, Failure) or isinstance(got, Failure):
                    assert got == built, f"encode() gave row {row.number} {got!r}, build() {built!r}."
                    continue
                body = _decoded(got, row)
                expected = msgspec.json.decode(msgspec.json.encode({**common, **built}))
                assert body == expected, (
                    f"encode() asks something else about row {row.number} than build() does: {body!r} instead of "
                    f"{expected!r} (the route adds {common!r}; a key of the body wins)."
                )

    def test_a_pattern_asks_what_is_built(self) -> None:
        """`pattern`, if there is one, gives what `build` gives when filled with the texts of a row's cells."""
        for row in [*self._rows(), *self._odd_rows()]:
            texts = {column: cell_text(value) for column, value in row.as_dict().items()}
            missing: list[str] = []
            builder = self.make()
            filled = builder.pattern(partial(_text_of, texts, missing))
            if filled is None or missing or no_json(texts):
                continue
            built = builder.build(_copied(row))
            assert filled == built, (
                f"pattern() asks something else about row {row.number} than build() does: {filled!r} instead of "
                f"{built!r}. Return None unless all requests differ in the texts of cells alone."
            )

    def test_it_needs_columns_by_their_names(self) -> None:
        """`needs` are names; `rows()` have them. `uses` are names, or None."""
        needs = self.make().needs()
        assert not isinstance(needs, str), f"needs() returned the text {needs!r}; return a list of names."
        assert isinstance(needs, Iterable), f"needs() returned {needs!r}; return a list of names."
        names = list(needs)
        for row in self._rows():
            missing = [name for name in names if name not in row.columns]
            assert not missing, f"needs() asks for {missing}, which row {row.number} of rows() does not have."
        used: Any = self.make().uses()
        if used is not None:
            listed = isinstance(used, Iterable) and not isinstance(used, str)
            assert listed, f"uses() returned {used!r}; return names of columns, or None."
            assert all(isinstance(name, str) for name in used), f"uses() returned {used!r}, which are not all names."

    def test_its_columns_are_names(self) -> None:
        """Columns are non-empty, unique names; a list, not a text."""
        columns: Any = self.make().columns
        assert not isinstance(columns, str), f"`columns` is the text {columns!r}; write a tuple: ({columns!r},)."
        assert list(columns), "`columns` is empty; an answer fills at least one."
        assert all(isinstance(name, str) and name for name in columns), f"`columns` are {columns!r}; each is a name."
        assert len(set(columns)) == len(columns), f"`columns` names one twice: {columns!r}."

    def test_its_requests_are_for_its_endpoints(self) -> None:
        """`endpoints` are paths, and the bodies built for `rows()` have what these endpoints require."""
        builder: Any = self.make()
        endpoints = builder.endpoints
        assert not isinstance(endpoints, str), (
            f"`endpoints` is the text {endpoints!r}; write a tuple: ({endpoints!r},)."
        )
        for endpoint in endpoints:
            assert isinstance(endpoint, str), f"`endpoints` holds {endpoint!r}; write paths."
            assert endpoint.startswith("/"), f"`endpoints` holds {endpoint!r}; write the path alone, from its slash on."
            for row in self._rows():
                body = builder.build(row)
                faults = body_faults({"model": "small", **body}, endpoint) if isinstance(body, dict) else ()
                assert not faults, f"A service would refuse row {row.number} at {endpoint}: {faults[0].message}"

    def test_what_tells_its_rows_apart_is_a_column(self) -> None:
        """`unique` is None or the name of a column that `rows()` have."""
        unique: Any = self.make().unique
        for row in self._rows():
            there = unique is None or unique in row.columns
            assert there, f"`unique` is {unique!r}, and row {row.number} of rows() has no such column."

    def test_a_good_answer_fills_exactly_the_columns(self) -> None:
        """Every column of `columns` and no other, with values that can be stored."""
        builder = self.make()
        for text in self.answers():
            read = builder.parse(_said(text))
            assert isinstance(read, Mapping), f"parse() of the answer {text!r} returned {read!r}; it must be columns."
            assert set(read) == set(builder.columns), (
                f"parse() of the answer {text!r} filled {sorted(read)}; `columns` promises {sorted(builder.columns)}."
            )
            no = no_json(dict(read))
            assert no is None, f"parse() of the answer {text!r} returned {no}, which JSON does not have."

    def test_reading_an_answer_again_gives_the_same(self) -> None:
        """After a crash another process parses the answer again."""
        builder = self.make()
        for response in self._responses():
            try:
                first = builder.parse(response)
            except Exception:  # noqa: BLE001, S112  # whether it raises is the question of another test
                continue
            for reader in (builder, self.make()):
                again = reader.parse(response)
                assert repr(again) == repr(first), f"parse() of {response.body!r} gave {first!r}, then {again!r}."

    def test_an_odd_answer_is_a_failure_at_worst(self) -> None:
        """Any answer gives columns or a Failure, even a refusal or nonsense. It is paid for, so nothing is raised."""
        builder = self.make()
        for body in ODD_BODIES:
            with explained(
                "parse() raised",
                f" for the body {body!r}. Return a Failure(code, sentence, transient=True) to have it asked again, or "
                "without `transient` to fail the row.",
            ):
                read = builder.parse(Response(deepcopy(body)))
            if isinstance(read, Failure):
                failure(read, f"the body {body!r}")
            else:
                assert isinstance(read, Mapping), (
                    f"parse() of {body!r} returned {read!r}; it must return columns or a Failure."
                )

    def test_many_answers_are_read_as_each_is(self) -> None:
        """`parse_many` gives for each text, in order, the values that `parse` gives, or None to leave it to `parse`."""
        texts = [*self.answers(), *ODD_TEXTS, *self.answers()]
        builder = self.make()
        if not overrides_last(builder, "parse_many", "parse"):
            return
        read = list(builder.parse_many(iter(texts)))
        assert len(read) == len(texts), f"parse_many() gave {len(read)} answers for {len(texts)} texts."
        for text, got in zip(texts, read, strict=True):
            if got is None:
                continue
            one = builder.parse(_said(text))
            expected = one if isinstance(one, Failure) else [one.get(column) for column in builder.columns]
            assert got == expected, (
                f"parse_many() reads {text!r} as {got!r}, and parse() as {expected!r}, in the order of `columns`. "
                "Give None for a text that parse() is to read, such as one that it does not take."
            )

    def _rows(self) -> Sequence[Row]:
        rows = self.rows()
        assert rows, "rows() returned nothing; there is nothing to ask about."
        return rows

    def _odd_rows(self) -> Iterator[Row]:
        [row, *_] = self._rows()
        for number, value in enumerate(ODD_VALUES):
            yield Row(number, row.columns, [value] * len(row.columns))

    def _steady_rows(self) -> Iterator[Row]:
        """Rows that become the same body or Failure each time. Other tests check whether all rows do."""
        builder = self.make()
        for row in (*self._rows(), *self._odd_rows()):
            try:
                built = [each.build(_copied(row)) for each in (builder, builder, self.make())]
            except Exception:  # noqa: BLE001, S112
                continue
            if built[0] == built[1] == built[2] and isinstance(built[0], dict | Failure):
                yield row

    def _responses(self) -> Iterator[Response]:
        yield from map(_said, self.answers())
        yield from map(Response, ODD_BODIES)


def _copied(row: Row) -> Row:
    return Row(row.number, list(row.columns), deepcopy(list(row.values)))


def _text_of(texts: Mapping[str, str], missing: list[str], column: str) -> str:
    if column not in texts:
        missing.append(column)
    return texts.get(column, "")


def _said(text: str) -> Response:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 10, "completion_tokens": 5}
    return Response({"object": "chat.completion", "choices": [choice], "usage": usage})


def _decoded(encoded: object, row: Row) -> Json:
    assert isinstance(encoded, bytes | bytearray), f"encode() gave row {row.number} {encoded!r}; it must be bytes."
    assert b"\n" not in encoded, f"encode() gave row {row.number} a body of several lines; a request is one line."
    try:
        body = msgspec.json.decode(encoded)
    except msgspec.DecodeError as error:
        raise AssertionError(f"encode() gave row {row.number} no JSON ({error}): {bytes(encoded)!r}.") from error
    assert isinstance(body, dict), f"encode() gave row {row.number} {body!r}; it must be a JSON object."
    return body
