"""Going through a service's lists to the very end, or knowing that the end was not reached.

A batch that is overlooked here is created, and paid, a second time. So a list that says it goes on but hands out no
more is an error, not an end. And some lists never end: one service's pages made the SDK's own iteration run for ever.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING

from batchd import CannotFind, Json

from .normalise import as_list, identifier
from .wire import Call

if TYPE_CHECKING:
    from .client import Client

MAX_PAGES = 2_000


async def everything(
    client: Client, call: Call, path: str, query: Mapping[str, str | int]
) -> AsyncIterator[Mapping[str, Json]]:
    """All objects of a list, each once. CannotFind where the service does not let us see all of them."""
    service = client.settings.base_url
    seen: set[str] = set()
    cursor: dict[str, str] = {}
    for _ in range(MAX_PAGES):
        answer = await client.get(call, path, query={**query, **cursor})
        items = as_list(answer)
        if items is None:
            raise CannotFind(f"{service} did not answer with a list when asked to {call.what}.")
        fresh = [item for item in items if identifier(item.get("id")) not in seen]
        for item in fresh:
            yield item
        seen.update(id_ for item in fresh if (id_ := identifier(item.get("id"))))
        more, following = _following(answer, items, cursor)
        if more is False or not items:
            return
        if not fresh or following is None:
            if more is None:
                return
            break
        cursor = following
    raise CannotFind(
        f"{service} says that its list goes on, and does not hand out the rest, when asked to {call.what}. "
        "So batchd cannot look through all of it."
    )


def _following(
    answer: Json, items: Sequence[Mapping[str, Json]], cursor: Mapping[str, str]
) -> tuple[bool | None, dict[str, str] | None]:
    """Whether the list goes on (None: it does not say), and how to ask for the next page."""
    page = _page(answer)
    paging = page.get("paging")
    next_cursor = identifier(paging.get("next_cursor")) if isinstance(paging, Mapping) else None
    last = identifier(page.get("last_id")) or (identifier(items[-1].get("id")) if items else None)
    after = {"after": last} if last else None
    more = page.get("has_more")
    if isinstance(more, bool):
        return more, {"cursor": next_cursor} if next_cursor else after
    if next_cursor:
        return True, {"cursor": next_cursor}
    if "paging" in page or "cursor" in cursor:
        return False, None
    # It does not say whether there is more. One question too many costs nothing; a batch overlooked does.
    return None, after


def _page(answer: Json) -> Mapping[str, Json]:
    """The object that holds the list itself, out of its envelopes."""
    page: Mapping[str, Json] = {}
    while isinstance(answer, Mapping):
        page, answer = answer, answer.get("data", answer.get("batches"))
    return page
