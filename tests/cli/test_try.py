"""`batchd try`: a few rows asked now, without a daemon."""

from __future__ import annotations

from pathlib import Path

import pytest

from .cli_kit import process
from .test_running import real_house, reviews

pytestmark = pytest.mark.slow


def test_answers_side_by_side_and_nothing_delivered(tmp_path: Path) -> None:
    house = real_house(tmp_path / "house")
    file = reviews(tmp_path / "may.csv", "good", "bad", "fine")
    config = ("--config", house / "config.toml")
    said = process(*config, "try", file, "--rows", "2", FAKE_KEY="x")
    assert said.status == 2
    assert "fake takes batches only" in said.err
    said = process(*config, "try", file, "--rows", "2", "--yes", FAKE_KEY="x")
    assert said.status == 3, said
    for words in ("row 1: good", "fake/small: re: Review: good", "failed: The model declined.", "the whole file costs"):
        assert words in said.out
    question = tmp_path / "question.txt"
    question.write_text("Is it well? {{ review }}")
    two = ("--model", "small", "--model", "large")
    found = process(
        *config, "try", file, "--rows", "1", "--yes", *two, "--prompt", question, "--json", FAKE_KEY="x"
    ).json()
    assert [each["answers"][0]["answer"] for each in found["models"]] == [{"answer": "re: Is it well? good"}] * 2
    assert found["agreement"] == {"rows": 1, "same": 1, "columns": {"answer": 1}}
    assert not list((house / "outbox").rglob("*.csv"))
