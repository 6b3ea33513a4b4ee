"""Looks at the first answers of a part, if no row of its job has been answered before: are all of them of no use?"""

from __future__ import annotations

from pathlib import Path

from ...answers.meaning import read_line
from ...sending.useless_answers import FIRST, Came, Useless, judge, suspect
from ..part_files import requests_of
from .sorted_answers import SortedAnswers


def look_through(found: SortedAnswers, requests: str | None) -> Useless | None:
    """What the answers come to, if each of them is of no use."""
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
