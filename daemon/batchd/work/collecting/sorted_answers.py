"""Sorts the answers of a part by how they are read: the usual ones many at once, all others line by line."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from ...answers.meaning import read_line
from ...answers.unknown_calls import is_unknown_call
from ...answers.usual_texts import UsualTexts, usual_text
from ...sending.useless_answers import FIRST, Came, Useless, judge, suspect
from ..kept_answers import KeptAnswers, indexed_answers
from ..part_files import lines_of, requests_of


def part_answers(path: Path) -> Iterator[tuple[int, bytes, msgspec.Raw]]:
    """Row and line of each answer of a part, in order of arrival, and the line as it is kept with an outcome."""
    return indexed_answers(path) or _copied_answers(path)


def _copied_answers(path: Path) -> Iterator[tuple[int, bytes, msgspec.Raw]]:
    for line in lines_of(path):
        row, _, output_line = line.partition(b" ")
        output_line = output_line.rstrip(b"\n")
        yield int(row), output_line, msgspec.Raw(output_line)


@dataclass(slots=True)
class SortedAnswers:
    """`usual` has the rows with one usual answer, `lines` the lines of all other rows, in order of arrival.

    The rows of `unknown` had a call of unknown outcome.
    """

    usual: UsualTexts = field(default_factory=UsualTexts)
    lines: dict[int, list[bytes]] = field(default_factory=dict)
    unknown: set[int] = field(default_factory=set)

    def give_back(self, rows: Collection[int], kept: KeptAnswers) -> None:
        """Add the usual answers of these rows to `lines`, to be read line by line."""
        if not rows:
            return
        for row, raw in zip(self.usual.rows, self.usual.lines, strict=True):
            if row in rows:
                # The line of a usual answer is the first of its row.
                self.lines.setdefault(row, []).insert(0, kept.read(raw) or b"")


def sort_answers(path: Path, wanted: Collection[int], kept: KeptAnswers) -> SortedAnswers:
    """Sort the answers of a part. Only those of `wanted` rows are tried as usual ones."""
    found = SortedAnswers()
    usual, lines = found.usual, found.lines
    add_row, add_text, add_tokens = usual.rows.append, usual.texts.append, usual.tokens.append
    add_line = usual.lines.append
    seen: set[int] = set()
    again: set[int] = set()
    for row, line, raw in part_answers(path):
        if row not in seen:
            seen.add(row)
            if row in wanted and (read := usual_text(line)) is not None:
                text, tokens = read
                add_row(row)
                add_text(text)
                add_tokens(tokens)
                add_line(raw)
                continue
        else:
            again.add(row)
        if is_unknown_call(line):
            found.unknown.add(row)
        else:
            lines.setdefault(row, []).append(line)
    odd = (again | found.unknown) & set(usual.rows) if again or found.unknown else ()
    if odd:
        found.give_back(odd, kept)
        found.usual = usual.without(odd)
    return found


def look_through(found: SortedAnswers, requests: str | None) -> Useless | None:
    """Return what is wrong with the first answers of a job; None if any is of use, or there are fewer than FIRST."""
    if requests is None or len(found.usual.rows) + len(found.lines) < FIRST:
        return None
    texts = dict(zip(found.usual.rows, found.usual.texts, strict=True))
    suspicions = []
    for row, body in requests_of(Path(requests)):
        text, lines = texts.get(row), found.lines.get(row)
        if text is not None:
            came = Came(text)
        elif lines:
            came = Came.of(read_line(lines[0]))
        else:
            continue
        suspicion = suspect(came, body)
        if suspicion is None:
            return None
        suspicions.append(suspicion)
    return judge(suspicions)
