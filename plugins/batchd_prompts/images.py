"""Pictures beside the question: addresses are passed on, and files are named for batchd to put into the request."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from batchd import Body, Failure, Row

from .json_text import BROKEN_TEXT, is_broken

if TYPE_CHECKING:
    from .template_settings import TemplateSettings

_ADDRESS = re.compile(r"https?://[^\s/]\S*|data:image/\S+", re.IGNORECASE)
_OTHER = re.compile(r"[a-z][a-z0-9+.-]+:", re.IGNORECASE)


def with_images(body: Body, row: Row, settings: TemplateSettings) -> Body | Failure:
    """The body with the row's pictures behind the question. An empty cell is no picture."""
    pieces: list[Body] = []
    for column in settings.images or ():
        if column not in row.columns:
            return Failure("template", f"The prompt shows the column “{column}”, which the row does not have.")
        cell = row[column]
        name = cell.strip() if isinstance(cell, str) else "" if cell is None else str(cell)
        if not name:
            continue
        if is_broken(name):
            return BROKEN_TEXT
        if not _ADDRESS.fullmatch(name):
            if _OTHER.match(name):
                return Failure(
                    "picture",
                    f"The column “{column}” holds {name[:200]!r}, which is neither an address with https:// nor the "
                    "name of a file. Correct that cell and drop the row again.",
                )
            name = f"file:{name}"
        detail = {} if settings.image_detail is None else {"detail": settings.image_detail}
        pieces.append({"type": "image_url", "image_url": {"url": name, **detail}})
    if not pieces:
        return body
    *before, last = body["messages"]
    text = [{"type": "text", "text": last["content"]}] if last["content"].strip() else []
    return {**body, "messages": [*before, {**last, "content": [*text, *pieces]}]}
