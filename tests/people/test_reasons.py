"""Why a file was handed back or is held, in Vietnamese."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

import batchd
import batchd_files
import batchd_prompts
import batchd_tables
from batchd.delivery.held_notes import held_text
from batchd.people.language import Language
from batchd.people.reasons import reason_in
from batchd.testing.household import Household

HOMES = [Path(str(each.__file__)).parent for each in (batchd, batchd_files, batchd_prompts, batchd_tables)]
REASONS = tomllib.loads((HOMES[0] / "people" / "reasons.toml").read_text())["vi"]
NAME = re.compile(r"\{([a-z]+)\}")
ELSEWHERE = {"testing", "app", "review.py"}
"""Where the words are for tests or for the operator."""


def test_each_sentence_tells_what_the_english_one_does():
    assert len({english for english, _ in REASONS}) == len(REASONS)
    assert not [english for english, said in REASONS if not set(NAME.findall(said)) <= set(NAME.findall(english))]
    assert not [english for english, said in REASONS if not said.strip() or said == english]


@pytest.mark.slow
def test_every_reason_for_which_a_file_is_refused_has_a_translation():
    told = {
        each
        for home in HOMES
        for path in home.rglob("*.py")
        if not ELSEWHERE & set(path.parts)
        for each in refusals(path)
    }
    assert len(told) > 60
    missing = [reason for reason in told if reason_in(reason, "vi") == reason]
    assert not missing, "\n".join(missing)


def refusals(path: Path) -> Iterator[str]:
    """The sentences of the refusals in a module, as far as they stand there, for the person who dropped the file."""
    if not CALLS.search(path.read_text()):
        return
    for function in functions(path):
        nodes, local = list(ast.walk(function)), scope_of(path)
        for node in nodes:
            assigned(node, local)
        for node in nodes:
            at = where(path, node) if isinstance(node, ast.Call) else None
            if at is None or len(cast("ast.Call", node).args) <= at:
                continue
            held = "." if ast.unparse(cast("ast.Call", node).func) == "Refusal" else ""  # it ends a sentence
            for text in written(cast("ast.Call", node).args[at], local):
                text += held
                reason = text.replace("X8", "").partition("For the operator")[0].strip()
                # A sentence that is told elsewhere, before or behind.
                reason = re.sub(r"^(\[X7\] )?X7\.? (?=[A-Z])|^\[X7\] |(?<=[.]) ?X7$", "", reason)
                if reason.strip("X7. "):
                    yield reason


def where(path: Path, call: ast.Call) -> int | None:
    """Which argument of this call says why, if it is one of those."""
    name = ast.unparse(call.func).rpartition(".")[2]
    return 0 if (path.name, name) == ("questions.py", "ValueError") else WHERE.get(name)


CONSTANTS = {"QUESTION": "question.md", "NAME": "question.md", "FOR_THE_OPERATOR": "For the operator: "}
Scope = dict[str, list[ast.expr]]
WHERE = {
    "bad_line": 2,
    "_too_much": 1,
    "FileRefused": 1,
    "reject": 3,
    "Failure": 1,
    "Refusal": 1,
    "without_question": 2,
}
"""The calls that hand a file back, hold it or fail a row, and which of their arguments says why."""


VALUES = {"amount", "at_most", "_either", "quoted", "clean", "str", "len", "sorted", "min", "max"}
"""Functions that give values, and no sentences."""
CALLS = re.compile(rf"\b({'|'.join(WHERE)}|ValueError)\(")


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """The functions of a module and of its classes."""
    body = [part for each in parsed(path).body for part in (each.body if isinstance(each, ast.ClassDef) else [each])]
    return [each for each in body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]


def scope_of(path: Path) -> Scope:
    """What the names of a module stand for."""
    scope: Scope = {name: [ast.Constant(value)] for name, value in {**CONSTANTS, "": str(path)}.items()}
    for each in parsed(path).body:
        assigned(each, scope)
    return scope


def assigned(node: ast.AST, scope: Scope) -> None:
    """Note what a name stands for."""
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        scope[node.targets[0].id] = [*scope.get(node.targets[0].id, []), node.value]


@cache
def sources() -> dict[Path, str]:
    return {path: path.read_text() for home in HOMES for path in home.rglob("*.py")}


@cache
def returned(name: str) -> list[tuple[ast.expr, Scope]]:
    """What the functions of this name return."""
    found = []
    for path in [path for path, text in sources().items() if f"def {name}(" in text]:
        for function in [each for each in functions(path) if each.name == name]:
            nodes, local = list(ast.walk(function)), scope_of(path)
            for node in nodes:
                assigned(node, local)
            found += [(node.value, local) for node in nodes if isinstance(node, ast.Return) and node.value]
    return found


def module(scope: Scope) -> object:
    """Where the names of a scope are from."""
    return cast("ast.Constant", scope[""][0]).value


def written(node: ast.expr, scope: Scope, *, depth: int = 4) -> list[str]:
    """What an expression can say: X7 for each value, X8 for words that are told elsewhere."""
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) else ["X7"]
    if isinstance(node, ast.Await):
        return written(node.value, scope, depth=depth)
    if isinstance(node, ast.IfExp):
        return [*written(node.body, scope, depth=depth), *written(node.orelse, scope, depth=depth)]
    if isinstance(node, ast.FormattedValue):
        return written(node.value, scope, depth=depth)
    if isinstance(node, ast.JoinedStr):
        texts = ["".join(each) for each in product(*(written(part, scope, depth=depth) for part in node.values))]
        return [re.sub(r"^X7 (has a header|is empty)", r"The sheet “X7” \1", text) for text in texts]
    if isinstance(node, ast.Name) and node.id in {"advice", "hint", "reason", "refusal"} and node.id not in scope:
        return ["X8"]
    if "_for_operator" in ast.unparse(node):
        return ["X8"]
    if depth and isinstance(node, ast.Name) and node.id in scope:
        return [text for value in scope[node.id] for text in written(value, scope, depth=depth - 1)]
    if depth and isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id not in VALUES:
        found = returned(node.func.id)
        here = [each for each in found if module(each[1]) == module(scope)] or found
        return [text or "X7" for value, local in here for text in written(value, local, depth=depth - 1)] or ["X7"]
    return ["X7"]


def test_a_reason_of_several_sentences_is_said_with_what_it_tells():
    english = (
        "The question about each row needs the column “review”, and this file does not have it. Its columns are: “id”, "
        "“reveiw”. Did you mean “reveiw”? Rename the column and drop the file again."
    )
    assert reason_in(english, "vi") == (
        "Câu hỏi cho mỗi dòng cần cột “review”, mà tập tin này không có. Các cột hiện có: “id”, “reveiw”. Có phải ý bạn là "
        "“reveiw”? Hãy đổi tên cột rồi thả lại tập tin."
    )
    assert reason_in("Line 1 has 20,000 cells, and batchd reads at most 16,384 columns. Check that each row is on its own "
                     "line, and drop the file again.", "vi").startswith("Dòng 1 có 20.000 ô")  # fmt: skip
    assert (
        reason_in("The file has {line} in it. Its columns are gone.", "vi")
        == "The file has {line} in it. Its columns are gone."
    )
    assert reason_in(english, "en") == english


async def test_the_note_beside_a_rejected_file_is_in_the_language_of_people(tmp_path: Path) -> None:
    household = Household(tmp_path, page_for=Language("vi"))
    household.drop("reviews/may.csv", "id,text\n1,tốt\n")
    async with household.living() as living:
        await living.take_in()
        await living.drain()
    note = (household.folders.rejected / "reviews" / "may.csv.why.txt").read_text()
    lines = note.split("\n\n")
    assert lines[0] == "Không xử lý được reviews/may.csv."
    assert lines[1].startswith("Câu hỏi cho mỗi dòng cần cột “review”")
    assert lines[2].startswith("Tập tin giữ nguyên")
    assert lines[3].startswith("For the operator: ")


def test_the_note_about_a_held_file_is_in_the_language_of_people():
    job = cast("Any", SimpleNamespace(
        id="k3j9x2ab", source="reviews/may.csv", reason_code="budget", parent=None,
        reason="it can cost at most 1.20 USD, and [budget] per_job allows 1.00",
    ))  # fmt: skip
    note = held_text(job, by_renaming=True, empty=2, language=Language("vi"))
    assert "Lý do: có thể tốn nhiều nhất 1,20 USD, mà [budget] per_job cho phép 1,00." in note
    assert ".approved.txt" in note
    assert "batchd approve k3j9x2ab" in note
    pilot = held_text(job, by_renaming=False, answers="1: tốt\n", language=Language("vi"))
    assert "\n\n1: tốt\n\n" in pilot
    assert not re.search(r"\b(the|rows|note|answers)\b", re.sub(r"\S*\.txt", "", note + pilot))
