"""Runs the fast tests under each supported Python that is on this machine, besides the one of `make test`.

An environment a Python, from the lock file, in `.pythons/`. A Python that is missing is named and skipped.

    python tests/pythons.py [--install-only] [VERSION…]
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
THIS = f"{sys.version_info.major}.{sys.version_info.minor}"
_CLASSIFIER = "Programming Language :: Python :: "
# The environment and the tests need these, and some systems package them apart.
_PROBE = "import ensurepip, platform, sqlite3, venv; print(platform.python_version())"


def main() -> int:
    """The exit status: 0 if all that ran has passed, even if nothing could run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("versions", nargs="*", help="such as 3.13; all that pyproject.toml names if none is given")
    parser.add_argument("--install-only", action="store_true", help="make the environments, and run nothing")
    arguments = parser.parse_args()
    versions = arguments.versions or [each for each in supported() if each != THIS]
    passed, failed, found = [], [], {version: find(version) for version in versions}
    missing = [version for version, python in found.items() if python is None]
    there = {version: python for version, python in found.items() if python is not None}
    # All at once: one is made by one process, and most of the time it unpacks. What goes wrong, the next step says again.
    for making in [start(f".pythons/{version}/.installed", version, python) for version, python in there.items()]:
        making.wait()
    if arguments.install_only:
        return 0
    for version, python in there.items():
        exact = probe(python) or version
        print(f"pythons: the fast tests under {exact}", flush=True)
        (passed if start("test-fast", version, python).wait() == 0 else failed).append(exact)
    print(f"pythons: make runs Python {platform.python_version()}", end="")
    for what, which in (("passed under", passed), ("FAILED under", failed), ("not on this machine:", missing)):
        if which:
            print(f"; {what} {', '.join(which)}", end="")
    print(flush=True)
    return 1 if failed else 0


def supported() -> list[str]:
    """The versions that pyproject.toml says are supported."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    named = [each.removeprefix(_CLASSIFIER) for each in project["classifiers"] if each.startswith(_CLASSIFIER)]
    return [each for each in named if re.fullmatch(r"\d+\.\d+", each)]


def find(version: str) -> Path | None:
    """A Python of that version that can make an environment."""
    for candidate in candidates(version):
        if (probe(candidate) or "").startswith(f"{version}."):
            return candidate
    return None


def candidates(version: str) -> Iterator[Path]:
    """Where a Python of that version may be: on the PATH, with pyenv, with uv. None of them is sure to be one."""
    on_path = shutil.which(f"python{version}")
    if on_path is not None:
        yield Path(on_path)
    if shutil.which("pyenv") is not None:
        installed = output("pyenv", "versions", "--bare", "--skip-aliases").split()
        ours = [each for each in installed if each.startswith(f"{version}.") and each[len(version) + 1 :].isdigit()]
        for each in sorted(ours, key=lambda name: int(name.rpartition(".")[2]), reverse=True):
            yield Path(output("pyenv", "prefix", each).strip()) / "bin" / "python3"
    if shutil.which("uv") is not None:
        yield Path(output("uv", "python", "find", "--system", "--no-python-downloads", version).strip())


def probe(python: Path) -> str | None:
    """Its version as it says itself, or None if it cannot be used. A name proves nothing: shims stand in for all."""
    return output(str(python), "-c", _PROBE).strip() or None


def output(*command: str) -> str:
    """What a command prints; nothing if it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    except OSError:
        return ""
    return done.stdout if done.returncode == 0 else ""


def start(target: str, version: str, python: Path) -> subprocess.Popen[bytes]:
    """Start `make` for a target with that Python in an environment of its own."""
    command = ["make", "--no-print-directory", target, f"PYTHON={python}", f"VENV=.pythons/{version}"]
    # What is about the text of the project is the same under each Python.
    command.append("FAST_ARGUMENTS=--ignore tests/structure --ignore tests/systemd --ignore tests/docs")
    # The flags of the make that runs this are not for that one: -n would run nothing, and its job server is not ours.
    environment = {
        name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MFLAGS", "MAKELEVEL"}
    }
    return subprocess.Popen(command, cwd=ROOT, env=environment)


if __name__ == "__main__":
    sys.exit(main())
