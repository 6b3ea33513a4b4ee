"""Why a file was handed back or is held, in Vietnamese."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import batchd
import batchd_files
import batchd_tables
from batchd.delivery.held_notes import held_text
from batchd.people.language import Language
from batchd.people.reasons import reason_in
from batchd.testing.household import Household

HOMES = [Path(str(each.__file__)).parent for each in (batchd, batchd_files, batchd_tables)]
REASONS = tomllib.loads((HOMES[0] / "people" / "reasons.toml").read_text())["vi"]
NAME = re.compile(r"\{([a-z]+)\}")
ELSEWHERE = {"testing", "app", "review.py"}
"""Where the words are for tests or for the operator."""


def test_each_sentence_tells_what_the_english_one_does():
    assert len({english for english, _ in REASONS}) == len(REASONS)
    assert not [english for english, said in REASONS if not set(NAME.findall(said)) <= set(NAME.findall(english))]
    assert not [english for english, said in REASONS if not said.strip() or said == english]


def test_every_reason_for_which_a_file_is_refused_has_a_translation():
    told = [
        each
        for home in HOMES
        for path in home.rglob("*.py")
        if not ELSEWHERE & set(path.parts)
        for each in refusals(path)
    ]
    assert len(told) > 60
    missing = [reason for reason in told if reason_in(reason, "vi") == reason]
    assert not missing, "\n".join(missing)


def refusals(path: Path) -> Iterator[str]:
    """The sentences of the refusals in a module, as far as they stand there, for the person who dropped the file."""
    tree = ast.parse(path.read_text())
    known = {"QUESTION": "question.md"}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            known |= dict(zip([node.targets[0].id], written(node.value, known), strict=False))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("FileRefused") and len(node.args) > 1:
            for text in written(node.args[1], known):
                reason = text.replace("X8", "").partition("For the operator")[0].strip()
                if reason.strip("X7 "):
                    yield reason


def written(node: ast.expr, known: dict[str, str]) -> list[str]:
    """What an expression can say: X7 for each value, X8 for words that are put together elsewhere."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.IfExp):
        return [*written(node.body, known), *written(node.orelse, known)]
    if isinstance(node, ast.JoinedStr):
        parts = []
        for part in node.values:
            if isinstance(part, ast.Constant):
                parts.append(str(part.value))
                continue
            value = cast("ast.FormattedValue", part).value
            name = value.id if isinstance(value, ast.Name) else ""
            elsewhere = name in {"advice", "hint", "reason", "refusal"} or "_for_operator" in ast.unparse(value)
            parts.append(known.get(name, "X8" if elsewhere else "X7"))
        return [re.sub(r"^X7 (has a header|is empty)", r"The sheet “X7” \1", "".join(parts))]
    return []


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
    assert "Lý do: có thể tốn nhiều nhất 1.20 USD, mà [budget] per_job cho phép 1.00." in note
    assert ".approved.txt" in note
    assert "batchd approve k3j9x2ab" in note
    pilot = held_text(job, by_renaming=False, answers="1: tốt\n", language=Language("vi"))
    assert "\n\n1: tốt\n\n" in pilot
    assert not re.search(r"\b(the|rows|note|answers)\b", re.sub(r"\S*\.txt", "", note + pilot))
