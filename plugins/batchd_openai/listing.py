"""Reads all pages of a service's lists, or reports that it could not.

A batch that is missed here is created, and paid for, a second time. So a list that claims to have more but returns
no more is an error, not the end. And some lists never end: with one service, the SDK's own iteration did not stop.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING

from batchd import CannotFind, HttpCall, Json, read_id

from .normalise import as_list

if TYPE_CHECKING:
    from .client import Client


async def everything(
    client: Client, call: HttpCall, path: str, query: Mapping[str, str | int]
) -> AsyncIterator[Mapping[str, Json]]:
    """All objects of a list, each once. Raises CannotFind if the service does not return all of them."""
    service = client.settings.base_url
    seen: set[int] = set()
    number = 0
    cursor: dict[str, str] = {}
    for _ in range(client.pacing.max_pages):
        answer = await client.get(call, path, query={**query, **cursor})
        items = as_list(answer)
        if items is None:
            raise CannotFind(f"{service} did not return a list when asked to {call.what}.")
        # Kept as hashes: an id may be long, and there may be many.
        fresh = [item for item in items if hash(read_id(item.get("id"))) not in seen]
        number += len(fresh)
        if number > client.pacing.max_items:
            raise CannotFind(
                f"When asked to {call.what}, {service} lists more than {client.pacing.max_items:,}, and batchd reads "
                "no more. So it cannot look through all of them."
            )
        for item in fresh:
            yield item
        seen.update(hash(id_) for item in fresh if (id_ := read_id(item.get("id"))))
        more, next_page = _next_page(answer, items, cursor)
        if more is False or not items:
            return
        if not fresh or next_page is None:
            if more is None:
                return
            break
        cursor = next_page
    raise CannotFind(
        f"When asked to {call.what}, {service} says that there are more, but does not return them. "
        "So batchd cannot look through all of them."
    )


def _next_page(
    answer: Json, items: Sequence[Mapping[str, Json]], cursor: Mapping[str, str]
) -> tuple[bool | None, dict[str, str] | None]:
    """Whether there are more pages (None: unknown), and the query for the next one."""
    page = _page(answer)
    paging = page.get("paging")
    next_cursor = read_id(paging.get("next_cursor")) if isinstance(paging, Mapping) else None
    last = read_id(page.get("last_id")) or (read_id(items[-1].get("id")) if items else None)
    after = {"after": last} if last else None
    more = page.get("has_more")
    if isinstance(more, bool):
        return more, {"cursor": next_cursor} if next_cursor else after
    if next_cursor:
        return True, {"cursor": next_cursor}
    if "paging" in page or "cursor" in cursor:
        return False, None
    # The list does not say whether there is more. One more call costs nothing; a missed batch does.
    return None, after


def _page(answer: Json) -> Mapping[str, Json]:
    """The object that holds the list itself, without its envelopes."""
    page: Mapping[str, Json] = {}
    while isinstance(answer, Mapping):
        page, answer = answer, answer.get("data", answer.get("batches"))
    return page
