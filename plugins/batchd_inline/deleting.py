"""Deletes what a service keeps of a batch, and says what is left."""

from __future__ import annotations

from dataclasses import replace

from batchd import HttpCall, ProviderError, Purged, RemoteBatch, RemoteMissing, Submission, read_id

from .client import Client
from .dialects import MAX_PAGES, Dialect, file_prefix, id_of, segment


async def forget(client: Client, dialect: Dialect, submission: Submission) -> None:
    """Delete the input file, and any that failed tries left behind, where there are any."""
    if not dialect.files:
        return
    if submission.upload:
        await _delete(client, dialect.files, submission.upload)
    if submission.attempt > 1:
        for file in await _left_behind(client, dialect, submission):
            await _delete(client, dialect.files, file)


async def purge(client: Client, dialect: Dialect, batch: RemoteBatch, submission: Submission) -> Purged:
    """Delete the batch, and the files of it that there are."""
    await forget(client, dialect, replace(submission, upload=None))
    files = batch.details.get("files")
    wanted = [("/files", str(file)) for file in files] if isinstance(files, list) else []
    if dialect.files and submission.upload:
        wanted.append((dialect.files, submission.upload))
    problems: list[str] = []
    if batch.id and dialect.deletes:
        wanted.append((dialect.batches, batch.id))
    elif batch.id:
        problems.append(f"{batch.id}: {dialect.kept}")
    deleted: list[str] = []
    absent: list[str] = []
    for path, id_ in wanted:
        try:
            (deleted if await _delete(client, path, id_) else absent).append(id_)
        except ProviderError as error:
            problems.append(f"{id_}: {error}")
    return Purged(deleted, absent, problems)


async def _delete(client: Client, path: str, id_: str) -> bool:
    """Delete a file or a batch. False if the service does not know it."""
    try:
        await client.order(HttpCall(f"delete {id_}"), "DELETE", path + segment(id_))
    except RemoteMissing:
        return False
    return True


async def _left_behind(client: Client, dialect: Dialect, submission: Submission) -> list[str]:
    """The uploads of this submission that the service lists."""
    found: list[str] = []
    query = {"limit": "100"}
    for _ in range(MAX_PAGES):
        page = await client.page(HttpCall("list its files"), dialect.files, query, "data")
        named = [file for file in page.get("data", ()) if str(file.get("filename")).startswith(file_prefix(submission))]
        found += [id_ for file in named if (id_ := id_of(file))]
        token = read_id(page.get("pagination_token"))
        if not token or query.get("pagination_token") == token:
            break
        query = {**query, "pagination_token": token}
    return found
