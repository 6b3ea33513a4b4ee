"""What is imported is declared: nothing is used that is there only because another package brought it."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
OURS = {"batchd", *(path.name for path in (ROOT / "plugins").glob("batchd_*"))}


def distributions(requirements: Iterable[str]) -> set[str]:
    """The names that a list of requirements asks for."""
    return {canonicalize_name(Requirement(each).name) for each in requirements}


def imports(source: str) -> Iterator[tuple[str, int]]:
    """The top-level modules that a source imports by their full names, with the line, wherever the import stands."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((alias.name.partition(".")[0], node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.partition(".")[0], node.lineno


LINE = re.compile(r"^[ \t]*(from|import)[ \t]+(\w+)(.*)|;[ \t]*(?:from|import)\b", re.MULTILINE)
KNOWN = sys.stdlib_module_names | OURS


def of_others(source: str) -> bool:
    """Whether it may import what is neither Python's nor ours: most modules do not, and parsing them takes a second."""
    return any(
        name not in KNOWN or (word == "import" and "," in rest) or ";" in rest
        for word, name, rest in LINE.findall(source)
    )


def test_every_import_is_declared() -> None:
    extras = PROJECT["optional-dependencies"].values()
    declared = distributions(PROJECT["dependencies"]).union(*map(distributions, extras))
    homes = metadata.packages_distributions()
    used: dict[str, str] = {}
    for module in (path for folder in ("daemon", "plugins") for path in sorted((ROOT / folder).rglob("*.py"))):
        source = module.read_text("utf-8")
        for name, line in imports(source) if of_others(source) else ():
            if name not in sys.stdlib_module_names and name not in OURS:
                for home in homes.get(name, [f"{name}, which is not installed"]):
                    used.setdefault(canonicalize_name(home), f"{module.relative_to(ROOT)}:{line}")
    assert {name: place for name, place in used.items() if name not in declared} == {}, "imported, not declared"
    assert sorted(declared - used.keys()) == [], "declared, not imported"


def test_an_import_is_seen_wherever_it_stands() -> None:
    source = "import a.b\nfrom c.d import e\nfrom . import f\ndef g():\n    import h\nif True:\n    from i import j\n"
    assert {name for name, _ in imports(source)} == {"a", "c", "h", "i"}
    assert not of_others("import os\nfrom batchd import errors\nfrom .a import b\n")
    for line in ("import h", "def g():\n    import h", "import os, h", "import os; import h", "from h.i import j"):
        assert of_others(line), line
