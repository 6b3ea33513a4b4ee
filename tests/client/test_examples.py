"""The programs in examples/client do what docs/client.md says."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
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


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_the_calls_of_curl_on_the_page_are_answered(there: Running, tmp_path: Path) -> None:
    page = (EXAMPLES.parents[1] / "docs" / "web.md").read_text("utf-8")
    lines = [line for line in page.splitlines() if line.startswith("curl ")]
    assert len(lines) == 2
    (tmp_path / "may.csv").write_text("review\nby curl\n")
    for line in lines:
        done = subprocess.run(
            ["bash", "-c", line.replace("http://127.0.0.1:8321", there.address).replace("curl ", "curl -sf ")],
            cwd=tmp_path,
            env={**os.environ, "TOKEN": there.token},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stderr}"
        assert json.loads(done.stdout)
