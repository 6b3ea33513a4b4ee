"""docs/answers.md: its table is what the tests of the shapes assert."""

from __future__ import annotations

from ..provider_faults.shape_table import PAGE, written


def test_the_table_is_of_today() -> None:
    page = PAGE.read_text("utf-8")
    assert written(page) == page, "write it again: make answers"
