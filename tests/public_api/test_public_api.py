"""`plugin_author.py`, which mypy checks, leaves nothing out that a plugin's author can use."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import batchd
from batchd import contracts, file_sink, hookspecs
from batchd.testing import conformance

SOURCE = Path(__file__).with_name("plugin_author.py").read_text("utf-8")
TREE = ast.parse(SOURCE)
CLASSES = [node for node in ast.walk(TREE) if isinstance(node, ast.ClassDef)]


def imported(module: str) -> set[str]:
    """The names that it imports from a module."""
    froms = [node for node in TREE.body if isinstance(node, ast.ImportFrom) and node.module == module]
    return {alias.name for node in froms for alias in node.names}


def below(base: str) -> set[str]:
    """What the classes with that base define: their methods and attributes."""
    bodies = [each.body for each in CLASSES if base in {ast.unparse(it).partition("[")[0] for it in each.bases}]
    names: set[str] = set()
    for node in (node for body in bodies for node in body):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names.update(target.id for target in node.targets if isinstance(target, ast.Name))
    return names


def test_every_name_of_the_front_door_is_used() -> None:
    names = set(batchd.__all__) - {"__version__"}
    assert imported("batchd") == names
    uses = {name: len(re.findall(rf"\b{name}\b", SOURCE)) for name in names}
    assert sorted(name for name, times in uses.items() if times < 2) == []
    assert "batchd.__version__" in SOURCE


def test_every_hook_is_implemented() -> None:
    hooks = {name for name in vars(hookspecs) if name.startswith("register_")}
    functions = [node for node in TREE.body if isinstance(node, ast.FunctionDef)]
    assert {each.name for each in functions if "hookimpl" in map(ast.unparse, each.decorator_list)} == hooks


def test_every_method_and_attribute_of_a_contract_is_written() -> None:
    classes: list[type] = [each for each in vars(contracts).values() if inspect.isclass(each)]
    roles: list[type] = [each for each in classes if contracts.Plugin in each.__bases__]
    assert len(roles) > 4
    missing = {
        f"{role.__name__}.{name}"
        for role in (*roles, file_sink.FileSink)
        for name in vars(role)
        if not name.startswith("_") and name not in below(role.__name__) and name not in below("Sink")
    }
    assert missing == set()


def test_every_class_of_the_kit_is_inherited_with_all_that_an_author_may_write() -> None:
    assert imported("batchd.testing.conformance") == set(conformance.__all__)
    kits = [getattr(conformance, name) for name in conformance.__all__ if name.endswith("Conformance")]
    missing = {
        f"{kit.__name__}.{name}"
        for kit in kits
        for name in vars(kit)
        if not name.startswith(("_", "test_", "installation")) and name not in below(kit.__name__)
    }
    assert missing == set()


def test_what_must_be_refused_is_checked_for_every_role() -> None:
    # mypy's warn_unused_ignores makes each of these an assertion.
    codes = re.findall(r"# type: ignore\[([\w-]+)\]", SOURCE)
    assert len(codes) > 20
    assert {"override", "abstract", "arg-type", "call-arg", "union-attr", "misc"} <= set(codes)
