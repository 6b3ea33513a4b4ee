"""What is done in the engine is done by one configuration: each function takes it from the context once."""

from __future__ import annotations

import ast
from pathlib import Path

ENGINE = Path(__file__).parents[2] / "daemon" / "batchd" / "engine"


def test_a_function_reads_the_configuration_once() -> None:
    """A reload may come at any await: one that reads it twice may see two."""
    faults = []
    found = 0
    for path in sorted(ENGINE.rglob("*.py")):
        for function in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            reads = [
                node for node in ast.walk(function) if isinstance(node, ast.Attribute) and node.attr == "configured"
            ]
            found += len(reads)
            if len(reads) > 1:
                faults.append(f"{path.relative_to(ENGINE)}: {function.name} reads it {len(reads)} times")
    assert not faults, "\n".join(faults)
    assert found > 10
