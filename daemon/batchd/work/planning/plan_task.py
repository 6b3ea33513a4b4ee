"""The task of planning a part, and its result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct, field

from ...domain.routing import PluginSpec
from ...model import Body, Failure, Usage
from ...workers.limits import ROW_TIMEOUT
from ..pictures import PictureFolder
from .reuse import Reuse


class PlanTask(Struct, frozen=True):
    """Plan the part of `job` from row `first`. `settled` is its results file so far, `failures` the one to write.

    With `skip_empty`, rows that have nothing to ask about are skipped.

    `correction` is the factor from counted tokens to real ones, known from earlier batches of the model. `given_up`
    rows are not asked, since the builder hung on them; Hung is raised if it hangs on another. `corrections` is a file
    with the corrections of rows that were answered in the wrong form, `follows` a file with rows that ask the same as a
    row of another part.
    """

    job: str
    first: int
    offset: int
    length: int
    columns: Sequence[str]
    rows: str
    requests: str
    settled: str | None
    failures: str
    builder: PluginSpec
    common: Body
    endpoint: str
    max_line_bytes: int | None
    model: str = ""
    correction: float = 1.0
    reuse: Reuse | None = None
    given_up: Mapping[int, Failure] = field(default_factory=dict)
    row_timeout: float = ROW_TIMEOUT
    corrections: str | None = None
    pictures: PictureFolder | None = None
    skip_empty: bool = False
    follows: str | None = None


class PlanDone(Struct):
    """The result of planning. `failed` rows have no request; they are in the new results file, if `new_results`.

    `input_tokens` are corrected, `counted_tokens` are not: only these may be compared with the real usage, to correct
    the next count. `longest` are the input tokens of the longest request. `unlimited` requests set no limit to their
    answers, so `output_tokens` is not an upper bound for them. `reused` rows have the answer to an earlier identical
    request; `saved` are the tokens billed for those answers. `empty` rows are skipped.
    """

    requests: int = 0
    size: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    failed: int = 0
    new_results: bool = False
    counted_tokens: int = 0
    longest: int = 0
    unlimited: int = 0
    reused: int = 0
    saved: Usage = field(default_factory=Usage)
    empty: int = 0


EMPTY = Failure("empty", "The cells that the question is about are empty in this row, so it was not asked.")
"""Why a row that has nothing to ask about has no answer. The row is skipped; it has not failed."""
