"""Sentences on a terminal: folded between words, and with whole commands."""

from __future__ import annotations

import io

from rich.console import Console

from batchd.cli.showing.folding import folded, for_stream
from batchd.cli.showing.terminal import Prose, plain_table

CASES = (
    ("a plain sentence of some words", 20, ["a plain sentence of", "some words"]),
    ("It waits: batchd approve k3j9x2ab", 20, ["It waits:", "  batchd approve k3j9x2ab"]),
    ("It is not known: batchd knows no price. To let it go on: batchd approve k3 --up-to 1", 60, ["It is not known: batchd knows no price. To let it go on:", "  batchd approve k3 --up-to 1"]),
    ("Today it was 3.89 USD", 20, ["Today it was", "3.89 USD"]),
    ("Run `batchd resolve 7f3k --absent` if it is not there.", 30, ["Run", "`batchd resolve 7f3k --absent`", "if it is not there."]),
    ("/a/path/that/is/longer/than/the/terminal/is", 20, ["/a/path/that/is/longer/than/the/terminal/is"]),
    ("  indented lines stay so", 20, ["  indented lines", "  stay so"]),
    ("two\n\nparagraphs", 20, ["two", "", "paragraphs"]),
    ("", 20, [""]),
)  # fmt: skip


def test_sentences_are_folded_between_words_and_commands_stay_whole() -> None:
    faults = [f"{text!r}: {found}" for text, width, lines in CASES if (found := list(folded(text, width))) != lines]
    assert not faults, "\n".join(faults)


def test_what_goes_into_a_pipe_is_not_folded() -> None:
    text = "word " * 40
    assert for_stream(text, io.StringIO()) == text


def test_a_table_folds_names_and_keeps_numbers_whole() -> None:
    table = plain_table("model", "cost")
    table.add_row("a-model/with-a-name-that-is-very-long-indeed", "0.004522 USD")
    out = io.StringIO()
    console = Console(file=out, width=40)
    console.print(table)
    console.print(Prose("To let it go on, which costs at most 0.02 USD: batchd approve k3j9x2ab"))
    lines = [line.rstrip() for line in out.getvalue().splitlines()]
    assert "…" not in out.getvalue()
    assert any(line.endswith("0.004522 USD") for line in lines)
    assert lines[-1] == "  batchd approve k3j9x2ab"
    assert all(len(line) <= 40 for line in lines)
