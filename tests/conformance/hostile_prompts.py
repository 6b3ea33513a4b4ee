"""Prompt builders that break one promise each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any, ClassVar

import msgspec

from batchd import Body, Failure, Json, Response, Row

from .good_plugins import Label


class Wordy(Label):
    """Returns a list in place of a body."""

    fails = "test_a_row_becomes_a_body"

    def build(self, row: Row) -> Any:
        body: Any = super().build(row)
        return list(body.items())


class Drifting(Label):
    """Builds a different body each time."""

    fails = "test_the_same_row_always_becomes_the_same_body"
    seeds: ClassVar[count[int]] = count()

    def build(self, row: Row) -> Body | Failure:
        body: Any = super().build(row)
        return {**body, "seed": next(self.seeds)}


class Scribbling(Label):
    """Changes the row in place."""

    fails = "test_building_leaves_the_row_alone"

    def build(self, row: Row) -> Body | Failure:
        body = super().build(row)
        assert isinstance(row.values, list)
        row.values[row.columns.index("review")] = str(row["review"])[:5]
        return body


class Touchy(Label):
    """Expects text in every cell."""

    fails = "test_odd_values_are_failures_at_worst"

    def build(self, row: Row) -> Body | Failure:
        return {"messages": [{"role": "user", "content": "Label this: " + row["review"]}]}


class Hasty(Label):
    """Leaves out the route's parameters when it encodes many rows."""

    fails = "test_many_rows_are_encoded_as_each_is_built"

    def encode(self, rows: Iterable[Row], common: Body) -> Iterator[bytes | Failure]:
        return (msgspec.json.encode({**self.build(row), "model": common.get("model")}) for row in rows)


class Pretty(Label):
    """Writes a body on several lines."""

    fails = "test_many_rows_are_encoded_as_each_is_built"

    def encode(self, rows: Iterable[Row], common: Body) -> Iterator[bytes | Failure]:
        for encoded in super().encode(rows, common):
            yield encoded if isinstance(encoded, Failure) else msgspec.json.format(encoded)


class Hopeful(Label):
    """Says that all requests are alike, and leaves a cell out."""

    fails = "test_a_pattern_asks_what_is_built"

    def pattern(self, cell: Callable[[str], str]) -> Body | None:
        return {"messages": [{"role": "user", "content": "Label this: "}]}


class Skipping(Label):
    """Leaves out rows that fail."""

    fails = "test_many_rows_are_encoded_as_each_is_built"

    def build(self, row: Row) -> Body | Failure:
        return super().build(row) if row["review"] else Failure("empty", "There is nothing to label.")

    def encode(self, rows: Iterable[Row], common: Body) -> Iterator[bytes | Failure]:
        return (each for each in super().encode(rows, common) if not isinstance(each, Failure))


class Sweeping(Label):
    """Takes any text for an answer when it reads many."""

    fails = "test_many_answers_are_read_as_each_is"

    def parse(self, response: Response) -> Mapping[str, Json] | Failure:
        return Failure("empty", "Nothing was said.") if not response.answer else super().parse(response)

    def parse_many(self, texts: Iterable[str]) -> Iterator[list[Json] | None]:
        return ([text] for text in texts)


class Needy(Label):
    fails = "test_it_needs_columns_by_their_names"

    def needs(self) -> Sequence[str]:
        return "review"


class Using(Label):
    """Names the column of its question as a text, which is read as a column a letter."""

    fails = "test_it_needs_columns_by_their_names"

    def uses(self) -> Sequence[str]:
        return "review"


class Misplaced(Label):
    """Names another endpoint than that of its requests."""

    fails = "test_its_requests_are_for_its_endpoints"
    endpoints = ("/v1/embeddings",)


class Addressed(Label):
    """Names a URL in place of a path."""

    fails = "test_its_requests_are_for_its_endpoints"
    endpoints = ("https://api.example/v1/chat/completions",)


class Lettered(Label):
    """Its endpoints are text, not a tuple."""

    fails = "test_its_requests_are_for_its_endpoints"
    endpoints = "/v1/chat/completions"


class Apart(Label):
    """Its unique column does not exist."""

    fails = "test_what_tells_its_rows_apart_is_a_column"
    unique = "number"


class Misnamed(Label):
    """Its columns are text, not a tuple."""

    fails = "test_its_columns_are_names"
    columns = "l"

    def parse(self, response: Response) -> Mapping[str, Json] | Failure:
        columns = super().parse(response)
        return columns if isinstance(columns, Failure) else {"l": columns["label"]}


class Chatty(Label):
    """Fills columns that it does not declare."""

    fails = "test_a_good_answer_fills_exactly_the_columns"

    def parse(self, response: Response) -> Mapping[str, Json] | Failure:
        columns = super().parse(response)
        return columns if isinstance(columns, Failure) else {**columns, "length": len(columns["label"])}


class Forgetful(Label):
    """Its result depends on earlier answers."""

    fails = "test_reading_an_answer_again_gives_the_same"
    labels: ClassVar[list[str]] = []

    def parse(self, response: Response) -> Mapping[str, Json] | Failure:
        columns = super().parse(response)
        if isinstance(columns, Failure):
            return columns
        self.labels.append(columns["label"])
        return {"label": f"{columns['label']} ({self.labels.count(columns['label'])})"}


class Trusting(Label):
    """Expects text in every answer."""

    fails = "test_an_odd_answer_is_a_failure_at_worst"

    def parse(self, response: Response) -> Mapping[str, Json] | Failure:
        text: Any = response.text
        return {"label": text.strip()}
