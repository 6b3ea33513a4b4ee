"""Make a release: say what it takes and what is still missing, and do it only when told.

    make release             looks, and changes nothing
    make release ARGUMENTS=--do

The version is that of `batchd.__version__`. `--do` builds the wheel and the source archive from the commit, checks
them, and puts the tag on it. It sends nothing: the last lines are the commands that do.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

GIT = shutil.which("git") or "git"
TOOLS = ["build>=1.2", "twine>=6", "pip-audit>=2.9"]


def main() -> int:
    """Exit status 0 if all of it can be done, or is done."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--do", action="store_true", help="build, check and tag")
    parser.add_argument("--root", type=Path, default=Path(__file__).parents[1], help="the checkout")
    parser.add_argument("--unaudited", action="store_true", help="without asking for known faults of dependencies")
    arguments = parser.parse_args()
    root = arguments.root.resolve()
    version = version_of(root)
    missing = list(what_is_missing(root, version))
    print(f"batchd {version}, from {git(root, 'rev-parse', '--short', 'HEAD')}")
    print(
        "\n".join(
            [
                "1. build the wheel and the source archive from the commit, into dist/",
                "2. check both with twine, and ask pip-audit for known faults of the locked dependencies",
                f"3. put the tag v{version} on the commit",
            ]
        )
    )
    for each in missing:
        print(f"missing: {each}")
    if missing or not arguments.do:
        if not missing:
            print("Nothing is missing. To do it: make release ARGUMENTS=--do")
        return 1 if missing else 0
    with tempfile.TemporaryDirectory(prefix="batchd-release-") as place:
        built = build(root, Path(place), version, audit=not arguments.unaudited)
        (root / "dist").mkdir(exist_ok=True)
        for each in built:
            shutil.copy2(each, root / "dist")
    git(root, "tag", "-a", f"v{version}", "-m", f"batchd {version}")
    names = " ".join(f"dist/{each.name}" for each in built)
    print(f"Built, checked and tagged. To send it:\n\ngit push origin v{version}\npython -m twine upload {names}")
    return 0


def version_of(root: Path) -> str:
    """The version that the source says."""
    found = re.search(r'^__version__ = "([^"]+)"$', (root / "daemon/batchd/__init__.py").read_text(), re.MULTILINE)
    if found is None:
        raise SystemExit("daemon/batchd/__init__.py says no __version__.")
    return found[1]


def what_is_missing(root: Path, version: str) -> list[str]:
    """What a person has to do first, in sentences."""
    missing = []
    if git(root, "status", "--porcelain"):
        missing.append("the checkout has changes. Commit them first: git status")
    if git(root, "branch", "--show-current") != "main":
        missing.append("this is not the branch main: git switch main")
    if git(root, "tag", "--list", f"v{version}"):
        missing.append(f"the tag v{version} exists. Raise __version__ in daemon/batchd/__init__.py.")
    changes = (root / "CHANGELOG.md").read_text("utf-8")
    section = re.search(rf"^## \[{re.escape(version)}\] - (\d{{4}}-\d\d-\d\d)$", changes, re.MULTILINE)
    if section is None:
        missing.append(f"CHANGELOG.md has no line `## [{version}] - YYYY-MM-DD` above what is new.")
    elif re.search(r"^## \[Unreleased\]\s+(?!## )\S", changes, re.MULTILINE):
        missing.append(f"CHANGELOG.md has lines under Unreleased. Move them below [{version}].")
    return missing


def build(root: Path, place: Path, version: str, *, audit: bool) -> list[Path]:
    """The wheel and the source archive of the commit, checked, in `place`."""
    clone, tools = place / "source", place / "tools"
    run(GIT, "clone", "--quiet", str(root), str(clone))
    run(sys.executable, "-m", "venv", str(tools))
    python = str(tools / "bin" / "python")
    run(python, "-m", "pip", "install", "--quiet", *TOOLS)
    if audit:
        locked = str(clone / "requirements-dev.lock")
        run(python, "-m", "pip_audit", "--strict", "--disable-pip", "--no-deps", "--requirement", locked)
    run(python, "-m", "build", "--outdir", str(place / "dist"), str(clone))
    built = sorted((place / "dist").iterdir())
    wrong = [each.name for each in built if f"batchd-{version}" not in each.name]
    if wrong or len(built) != 2:
        raise SystemExit(f"Built were {', '.join(each.name for each in built)}, not one wheel and one archive.")
    run(python, "-m", "twine", "check", "--strict", *map(str, built))
    return built


def git(root: Path, *arguments: str) -> str:
    """What git says."""
    return subprocess.run([GIT, "-C", str(root), *arguments], check=True, capture_output=True, text=True).stdout.strip()


def run(*command: str) -> None:
    """Run it; end with its words if it fails."""
    if subprocess.run(command, check=False).returncode:
        raise SystemExit(f"This failed, and nothing was tagged: {' '.join(command)}")


if __name__ == "__main__":
    sys.exit(main())
