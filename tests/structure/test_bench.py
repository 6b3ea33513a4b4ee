"""The benchmarks use names that exist, and run: nothing else imports them, and only a long run would show it."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

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


def test_benchmarks_use_names_that_modules_have() -> None:
    faults = []
    for file in sorted(BENCH.glob("*.py")):
        tree = ast.parse(file.read_text("utf-8"))
        modules = {
            alias.asname or alias.name: module
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("batchd")
            for alias in node.names
            if isinstance(module := getattr(importlib.import_module(node.module or ""), alias.name, None), ModuleType)
        }
        faults += [
            f"{file.name}:{node.lineno}: {node.value.id} has no {node.attr}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules
            if not hasattr(modules[node.value.id], node.attr)
        ]
    assert not faults, "\n".join(faults)


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [("reuse.py", "--rows", "50", "--rounds", "1"), ("look.py", "--parts", "3", "--batches", "3", "--jobs", "3")],
)
def test_a_benchmark_runs_with_small_numbers(words: tuple[str, ...]) -> None:
    ran = subprocess.run(
        [sys.executable, BENCH / words[0], *words[1:]], capture_output=True, text=True, check=False, timeout=120
    )
    assert ran.returncode == 0, ran.stderr


def _exists(module: str, name: str) -> bool:
    try:
        if hasattr(importlib.import_module(module), name):
            return True
        importlib.import_module(f"{module}.{name}")
    except ImportError:
        return False
    return True
