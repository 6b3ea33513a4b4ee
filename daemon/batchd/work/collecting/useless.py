"""Looks at the first answers of a part, if no row of its job has been answered before: are all of them of no use?"""

from __future__ import annotations

from pathlib import Path

import msgspec

from ...answers.meaning import read_line, request_of
from ...sending.useless_answers import FIRST, Came, Useless, judge, suspect
from ..part_files import lines_of
from .sorted_answers import SortedAnswers


class _Request(msgspec.Struct):
    body: msgspec.Raw


_decode = msgspec.json.Decoder(_Request).decode


def look_through(found: SortedAnswers, requests: str | None) -> Useless | None:
    """What the answers come to, if each of them is of no use."""
    if requests is None or len(found.usual.rows) + len(found.lines) < FIRST or not Path(requests).exists():
        return None
    texts = dict(zip(found.usual.rows, found.usual.texts, strict=True))
    suspicions = []
    for line in lines_of(Path(requests)):
        request = request_of(line)
        if request is None or not (request.row in texts or found.lines.get(request.row)):
            continue
        text = texts.get(request.row)
        came = Came(text) if text is not None else Came.of(read_line(found.lines[request.row][0]))
        suspicion = suspect(came, bytes(_decode(line).body))
        if suspicion is None:
            return None
        suspicions.append(suspicion)
    return judge(suspicions)
