"""Nothing of the machine or the network that something was made on gets into what is shipped."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).parents[2]
HERE = Path(__file__)

_REGISTRIES = ("py" + "pi.", "pythonhosted" + ".org", "npm" + "js.", "proxy.golang" + ".org", "ana" + "conda.org")
_INDEX_VARIABLES = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL")
_HOMES = re.compile(r"(?<![\w./~-])/(?:home|Users)/(?!alice\b|you\b)\w+")


def tracked() -> list[Path]:
    """The files that git keeps; without git, all that is not made by building or testing."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z"],
            cwd=ROOT,
            capture_output=True,
            check=True,
        )
        files = [ROOT / os.fsdecode(name) for name in listed.stdout.split(b"\0") if name]
    except (OSError, subprocess.CalledProcessError):
        files = [path for path in ROOT.rglob("*") if not {".venv", "__pycache__", "dist"} & set(path.parts)]
    return sorted(path for path in files if path.is_file() and path != HERE)


@cache
def texts() -> list[tuple[str, str]]:
    """Path and text of every tracked file that is text."""
    found = []
    for path in tracked():
        with suppress(UnicodeDecodeError):
            found.append((str(path.relative_to(ROOT)), path.read_text("utf-8")))
    return found


def here() -> list[re.Pattern[str]]:
    """Paths that exist on this machine alone: where the source, the environment and the home of its user lie."""
    places = {ROOT, Path(sys.prefix), Path(sys.base_prefix)}
    # A path of one part, such as /src, says nothing of a machine.
    return [re.compile(rf"(?<![\w./-]){re.escape(str(each))}(?![\w-])") for each in places if len(each.parts) > 2]


def test_there_is_something_to_look_at() -> None:
    names = [name for name, _ in texts()]
    assert {"README.md", "pyproject.toml", "daemon/batchd/__init__.py", "tests/structure/__init__.py"} <= set(names)


def test_no_registry_is_named() -> None:
    # Which registry packages come from is for the person who installs to say.
    hosts = {urlsplit(url).hostname for name in _INDEX_VARIABLES for url in os.environ.get(name, "").split()}
    words = [*_REGISTRIES, *(host for host in hosts if host)]
    assert [(name, word) for name, text in texts() for word in words if word in text] == []


def test_no_path_of_this_machine_is_named() -> None:
    assert [(name, match[0]) for name, text in texts() for each in here() for match in each.finditer(text)] == []


def test_no_home_is_named() -> None:
    # In tests people have names and homes.
    found = [(name, match[0]) for name, text in texts() for match in _HOMES.finditer(text)]
    assert [(name, home) for name, home in found if not name.startswith("tests/")] == []


@pytest.mark.parametrize("text", ["see /home/bob/x", 'path = "/Users/eve/y"'])
def test_a_home_would_be_noticed(text: str) -> None:
    assert _HOMES.search(text)


def test_this_very_place_would_be_noticed() -> None:
    assert any(pattern.search(f"cd {ROOT} && make") for pattern in here()) or len(ROOT.parts) <= 2


def test_every_page_that_is_named_is_there() -> None:
    """A name in capitals with the ending of a page is one of ours, not of a page that only its author has."""
    known = {path.name for path in tracked()}
    named = [(name, page) for name, text in texts() for page in re.findall(r"\b[A-Z][A-Z_]{2,}\.(?:md|txt)\b", text)]
    # What people drop in tests is theirs.
    assert [(name, page) for name, page in named if page not in known and not name.startswith("tests/")] == []


def test_only_one_room_resolves_keys() -> None:
    """`env:`, `file:` and `credential:` are read by `secrets/`; elsewhere a Secret is passed on unread."""
    room = ROOT / "daemon" / "batchd" / "secrets"
    marks = re.compile(r"CREDENTIALS_DIRECTORY|os\.environ\[|environ\.get\(name")
    source = sorted(path for folder in ("daemon", "plugins") for path in (ROOT / folder).rglob("*.py"))
    found = [str(path.relative_to(ROOT)) for path in source if marks.search(path.read_text("utf-8"))]
    assert found == [str((room / "references.py").relative_to(ROOT))]
