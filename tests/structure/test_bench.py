"""The benchmarks use names that exist: nothing else imports them, and only a long run would show it."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

BENCH = Path(__file__).parents[2] / "bench"


def test_benchmarks_import_names_that_exist() -> None:
    faults = [
        f"{file.name}:{node.lineno}: {node.module} has no {alias.name}"
        for file in sorted(BENCH.glob("*.py"))
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module is not None and node.module.startswith("batchd")
        for alias in node.names
        if not _exists(node.module, alias.name)
    ]
    assert not faults, "\n".join(faults)


def _exists(module: str, name: str) -> bool:
    try:
        if hasattr(importlib.import_module(module), name):
            return True
        importlib.import_module(f"{module}.{name}")
    except ImportError:
        return False
    return True
