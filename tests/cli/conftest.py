"""Folders for the command line, and a way back from where a command goes."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test starts in a folder of its own; commands that load a config change the working directory."""
    monkeypatch.chdir(tmp_path)
    for name in ("BATCHD_CONFIG", "BATCHD_LOG_LEVEL", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
