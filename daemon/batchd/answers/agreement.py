"""How far several models agree about the same rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from ..model import Json

Answer = Mapping[str, Json]


class Agreement(Struct, frozen=True):
    """Of the `rows` that every model has answered, in how many all answers are the `same`; and so for each column."""

    rows: int
    same: int
    columns: Mapping[str, int]


def agreement(answers: Sequence[Sequence[Answer | None]]) -> Agreement:
    """Compare the answers of models to the same rows; None is a row without an answer.

    Case and the space around a text make no difference.

    >>> agreement([[{"label": "Good"}, {"label": "bad"}], [{"label": "good "}, {"label": "fair"}]])
    Agreement(rows=2, same=1, columns={'label': 1})
    """
    rows = [[each for each in row if each is not None] for row in zip(*answers, strict=True)]
    rows = [row for row in rows if len(row) == len(answers)]
    columns = list(dict.fromkeys(column for row in rows for each in row for column in each))
    alike = {column: [len({_plain(each.get(column)) for each in row}) == 1 for row in rows] for column in columns}
    same = sum(all(alike[column][place] for column in columns) for place in range(len(rows)))
    return Agreement(len(rows), same, {column: sum(alike[column]) for column in columns})


def _plain(value: Json) -> str:
    return " ".join(str(value).split()).casefold()
