"""The programs in examples/client do what docs/client.md says."""

from __future__ import annotations

from pathlib import Path

import pytest

from .client_kit import Running

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[2] / "examples" / "client"


def run(name: str, *changes: tuple[str, str]) -> None:
    """The program, with another address in it."""
    text = (EXAMPLES / name).read_text("utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    exec(compile(text, name, "exec"), {"__name__": "__main__"})


def test_the_programs_run(
    there: Running, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("BATCHD_TOKEN", there.token)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "may.csv").write_text("id,review\n1,Works well.\n")
    at = ("http://127.0.0.1:8321", there.address)
    run("reviews.py", at)
    said = capsys.readouterr().out
    assert "It costs at most 0.0" in said
    assert "1 {'answer': 're: Arrived in two days, works well.'}" in said
    run("many.py", at)
    said = capsys.readouterr().out
    assert "reviews/may" in said
    assert "reviews/june" in said
    run("notebook.py", ('folder="shop"', f'"{there.address}"'))
    assert "re: Works well." in capsys.readouterr().out
