"""Writes the body that creates a batch: one request after the other, never all of them in memory."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from batchd import Problem, Submission

from .answers import marked
from .bodies import Translate
from .content import Untranslatable

MAX_BYTES = 256_000_000
_CUSTOM_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")


class TooManyBytes(Exception):
    """The translated batch is larger than the service takes."""


def written(submission: Submission, translate: Translate, problems: list[Problem]) -> Iterator[bytes]:
    """The pieces of the body, in order. Requests that cannot be translated go into `problems`, with their lines."""
    encoder = msgspec.json.Encoder()
    size, between = 0, b'{"requests":['
    for line, request in enumerate(submission.requests_in_file(), start=1):
        custom_id = marked(submission.key, str(request.get("custom_id")))
        body = request.get("body")
        try:
            if not _CUSTOM_ID.fullmatch(custom_id):
                raise Untranslatable(
                    "invalid_custom_id", f"The custom_id {custom_id[:100]!r} is not one that Anthropic takes."
                )
            if not isinstance(body, dict):
                raise Untranslatable("invalid_request", "The body is no JSON object.")
            piece = encoder.encode({"custom_id": custom_id, "params": translate(body)})
        except Untranslatable as error:
            problems.append(Problem(error.code, str(error), line, error.param))
            continue
        size += len(between) + len(piece)
        if size > MAX_BYTES:
            raise TooManyBytes(f"The batch is larger than the {MAX_BYTES / 1e6:.0f} MB that Anthropic takes.")
        yield between
        yield piece
        between = b","
    yield b"]}"
