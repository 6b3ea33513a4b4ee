"""Answers in the shapes of real services, by name: what `line:shapes` plays for a request with `<shape NAME>` in it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from .bodies import BODIES
from .endings import ENDINGS
from .form import Shape
from .json_texts import JSON_TEXTS
from .others import OTHERS
from .usage import USAGE

if TYPE_CHECKING:
    from ..answering import Answer

SHAPES: dict[str, Shape] = {shape.name: shape for shape in (*BODIES, *ENDINGS, *JSON_TEXTS, *USAGE, *OTHERS)}
_NAMED = re.compile(rb"<shape ([\w.-]+)>")


def named_in(request: bytes) -> Shape | None:
    """The shape that a request asks for, None if it names none."""
    found = _NAMED.search(request)
    return SHAPES.get(found[1].decode()) if found else None


def played(shape: Shape, line: bytes, answer: Answer) -> tuple[bytes, Answer]:
    """Return the line in this shape, and the answer with the tokens that are billed."""
    record = json.loads(line)
    body = record["response"]["body"]
    if shape.count is not None:
        usage, bill = shape.count(answer.input_tokens, answer.output_tokens)
        body["usage"] = usage
        if usage is ...:
            del body["usage"]
        answer = replace(answer, input_tokens=bill[0], cached_tokens=bill[1], output_tokens=bill[2])
    if shape.free:
        answer = replace(answer, input_tokens=0, output_tokens=0)
    if shape.change is not None:
        shape.change(record, body)
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass"), answer
