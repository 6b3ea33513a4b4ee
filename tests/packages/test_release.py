"""`make release` says what is missing, and changes nothing unless it is told to."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "packaging" / "release.py"
CHANGES = "# Changelog\n\n## [Unreleased]\n\n## [1.2.3] - 2026-11-29\n\n- All of it.\n"


def checkout(root: Path) -> Path:
    (root / "daemon" / "batchd").mkdir(parents=True)
    (root / "daemon" / "batchd" / "__init__.py").write_text('__version__ = "1.2.3"\n')
    (root / "CHANGELOG.md").write_text(CHANGES)
    git(root, "init", "--quiet", "--initial-branch", "main")
    commit(root)
    return root


def git(root: Path, *arguments: str) -> str:
    who = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    return subprocess.run(["git", "-C", root, *who, *arguments], check=True, capture_output=True, text=True).stdout


def commit(root: Path) -> None:
    git(root, "add", "-A")
    git(root, "commit", "--quiet", "-m", "all of it")


def said(root: Path) -> tuple[int, list[str]]:
    done = subprocess.run([sys.executable, SCRIPT, "--root", root], check=False, capture_output=True, text=True)
    assert done.stderr == ""
    return done.returncode, [line for line in done.stdout.splitlines() if not line[0].isdigit()][1:]


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    root = checkout(tmp_path)
    assert said(root) == (0, ["Nothing is missing. To do it: make release ARGUMENTS=--do"])
    assert git(root, "tag") == ""

    (root / "CHANGELOG.md").write_text(
        CHANGES.replace("## [Unreleased]\n", "## [Unreleased]\n\n### Added\n\n- One more.\n")
    )
    assert said(root) == (
        1,
        [
            "missing: the checkout has changes. Commit them first: git status",
            "missing: CHANGELOG.md has lines under Unreleased. Move them below [1.2.3].",
        ],
    )
    (root / "CHANGELOG.md").write_text("# Changelog\n\n## [Unreleased]\n\n- All of it.\n")
    commit(root)
    git(root, "tag", "v1.2.3")
    git(root, "switch", "--quiet", "--create", "side")
    assert said(root) == (
        1,
        [
            "missing: this is not the branch main: git switch main",
            "missing: the tag v1.2.3 exists. Raise __version__ in daemon/batchd/__init__.py.",
            "missing: CHANGELOG.md has no line `## [1.2.3] - YYYY-MM-DD` above what is new.",
        ],
    )
