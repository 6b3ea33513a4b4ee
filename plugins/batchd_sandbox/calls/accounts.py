"""Accounts: as at a real service, one account does not see the files and batches of another.

Off by default. A key may be replaced within its account: `sk-acme.1` and `sk-acme.2` are keys of one account. The same
key with another organization or project is another account.
"""

from __future__ import annotations

from aiohttp import web

from ..refusals import no_such_batch, no_such_file
from .context import CONTEXT

ACCOUNT = web.RequestKey("account", str)


def account_of(request: web.Request, key: str) -> str:
    """Return the account of a call; the empty one for all calls while accounts are off."""
    if not request.app[CONTEXT].settings.accounts:
        return ""
    below = [request.headers.get(f"OpenAI-{name}", "") for name in ("Organization", "Project")]
    return "/".join([key.partition(".")[0], *below])


def require_own(request: web.Request) -> None:
    """Raise Refusal if a call names a file or batch of another account: for this account it does not exist."""
    file_id, batch_id = request.match_info.get("file_id"), request.match_info.get("batch_id")
    if file_id is not None and not is_own(request, file_id):
        raise no_such_file(file_id)
    if batch_id is not None and not is_own(request, batch_id):
        raise no_such_batch(batch_id)


def own(request: web.Request, *ids: str) -> None:
    """Record that these files and batches belong to the account of this call."""
    if request[ACCOUNT]:
        request.app[CONTEXT].store.own(ids, request[ACCOUNT])


def is_own(request: web.Request, id_: str) -> bool:
    """Whether the account of this call has this file or batch."""
    return not request[ACCOUNT] or request.app[CONTEXT].store.owner(id_) in {None, request[ACCOUNT]}
