"""What a row gets for each shape that the sandbox plays, and what it costs; docs/answers.md shows it.

`python -m tests.provider_faults.shape_table` writes the table there again.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from batchd_sandbox.answers.shapes import SHAPES

PAGE = Path(__file__).parents[2] / "docs/answers.md"
BEGIN, END = "<!-- shapes: begin -->", "<!-- shapes: end -->"


@dataclass(frozen=True)
class Gets:
    """The code of the row's failure, None for the answer; whether it is asked again; whether its tokens are planned."""

    code: str | None = None
    again: bool = False
    planned: bool = False


_OK = Gets()
_NOT_KNOWN = Gets(planned=True)

EXPECTED: dict[str, Gets] = dict.fromkeys(SHAPES, _OK) | {
    "responses-cut": Gets("length"),
    "responses-filtered": Gets("content_filter"),
    "responses-failed": Gets("server_error", again=True),
    "responses-refused": Gets("invalid_prompt"),
    "responses-cancelled": Gets("cancelled", again=True),
    "content-null": Gets("no_text", again=True),
    "content-missing": Gets("no_text", again=True),
    "refusal": Gets("refusal"),
    "refusal-piece": Gets("refusal"),
    "choices-empty": Gets("empty_answer"),
    "choices-null": Gets("empty_answer"),
    "body-null": Gets("empty_answer", planned=True),
    "body-empty": Gets("empty_answer", planned=True),
    "body-html": Gets("unreadable_answer", planned=True),
    "error-in-success": Gets("502", again=True),
    "think-unfinished": Gets("no_text", again=True),
    "reasoning-alone": Gets("no_text", again=True),
    **{f"finish-{word}": Gets("length") for word in ("length", "max_tokens", "model_length", "MAX_TOKENS", "incomplete")},
    "finish-model_context_window_exceeded": Gets("length"),
    **{
        f"finish-{word}": Gets("content_filter")
        for word in (
            "content_filter", "sensitive", "SAFETY", "RECITATION", "PROHIBITED_CONTENT", "refusal",
            "guardrail_intervened",
        )
    },
    **{
        f"finish-{word}": Gets(word, again=True)
        for word in ("insufficient_system_resource", "network_error", "error", "abort", "MALFORMED_FUNCTION_CALL")
    },
    "finish-purple": Gets("purple"),
    "json-wrong-word": Gets("unparsable", again=True),
    "json-wrong-number": Gets("unparsable", again=True),
    "json-null": Gets("unparsable", again=True),
    "json-cut": Gets("unparsable", again=True),
    "two-tool-calls": Gets("tool_calls"),
    **{
        f"usage-{word}": _NOT_KNOWN
        for word in ("null", "missing", "empty", "zeros", "negative", "huge", "half", "words")
    },
}  # fmt: skip


def table() -> str:
    """The table of the page."""
    rows = ["| form | seen at | what comes | the row | asked | tokens |", "| --- | --- | --- | --- | --- | --- |"]
    for shape in SHAPES.values():
        gets = EXPECTED[shape.name]
        row = "gets the answer" if gets.code is None else f"fails: `{gets.code}`"
        asked = "up to `attempts` times" if gets.again else "once"
        tokens = "none" if shape.free else "as planned" if gets.planned else "as counted"
        summary = shape.summary.replace("|", "\\|").replace("<", "&lt;")
        rows.append(f"| `{shape.name}` | {shape.seen} | {summary} | {row} | {asked} | {tokens} |")
    return "\n".join(rows) + "\n"


def written(page: str) -> str:
    """The page with the table of today."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{table()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text("utf-8")), "utf-8")
