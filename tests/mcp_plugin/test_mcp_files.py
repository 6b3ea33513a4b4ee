"""Only files below the root are opened, whatever the path says and whatever is renamed meanwhile."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from batchd_mcp.files import NotBelow, opened_below

from ..open_files import open_below


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with a table, beside a secret; and all kinds of ways out of it."""
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    (root / "sub" / "may.csv").write_text("review\ngood\n")
    (tmp_path / "secret.csv").write_text("secret\n")
    (root / "link.csv").symlink_to(tmp_path / "secret.csv")
    (root / "inside.csv").symlink_to(root / "sub" / "may.csv")
    (root / "out").symlink_to(tmp_path)
    (root / ".env").write_text("KEY=1\n")
    (root / ".git").mkdir()
    (root / ".git" / "config.csv").write_text("x\n")
    os.mkfifo(root / "pipe.csv")
    return root


def test_a_file_below_the_root_is_opened(root: Path) -> None:
    for path in ("sub/may.csv", "./sub//may.csv", str(root / "sub" / "may.csv")):
        with opened_below(root, path) as file:
            assert (file.name, file.path.read_text()) == ("may.csv", "review\ngood\n")


def test_nothing_else_is(root: Path) -> None:
    faults = []
    for path in (
        "../secret.csv",
        "sub/../../secret.csv",
        "sub/../sub/may.csv",
        str(root.parent / "secret.csv"),
        str(root / ".." / "secret.csv"),
        f"{root}2/may.csv",
        "/etc/passwd",
        "link.csv",
        "inside.csv",
        "out/secret.csv",
        "sub",
        "",
        ".",
        "/",
        "pipe.csv",
        ".env",
        ".git/config.csv",
        "nosuch.csv",
        "sub/may.csv/x",
        "sub/may.csv\0",
        "x" * 5_000,
    ):
        try:
            with opened_below(root, path) as file:
                faults.append(f"{path[:100]!r} was opened as {file.path}")
        except NotBelow as why:
            faults += [] if str(why).endswith(".") or path in str(why) else [f"{path[:100]!r}: {why}"]
    assert not faults, "\n".join(faults)


def test_what_is_renamed_meanwhile_is_still_the_same_file(root: Path) -> None:
    with opened_below(root, "sub/may.csv") as file:
        (root / "sub" / "may.csv").unlink()
        (root / "sub" / "may.csv").symlink_to(root.parent / "secret.csv")
        assert file.path.read_text() == "review\ngood\n"


def test_no_file_stays_open(root: Path) -> None:
    with opened_below(root, "sub/may.csv"):
        assert open_below(root.parent)
    with pytest.raises(NotBelow), opened_below(root, "out/secret.csv"):
        pass
    assert not open_below(root.parent)
