"""A sink for object stores: S3 and its like, Azure, Google Cloud. Each job is one object with a JSON object a line."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from posixpath import splitext
from typing import TYPE_CHECKING, Any

from pydantic import Field

from batchd import (
    DeliveryJob,
    Receipt,
    Register,
    RejectedError,
    ResultRows,
    Secret,
    Settings,
    Sink,
    TransientError,
    covered,
    hookimpl,
)

if TYPE_CHECKING:
    from obstore.store import ObjectStore

CHUNK = 1 << 16
NAMES = {
    "UnauthenticatedError": "does not accept the keys. Check `secrets`.",
    "PermissionDeniedError": "does not let these keys write there. Give them the right to put objects.",
    "FileNotFoundError": "has no such bucket. Make it, or correct url.",
    "UnknownConfigurationKeyError": "is set up with a key that it does not know. Correct `options` and `secrets`.",
    "InvalidPathError": "takes no object of such a name. Correct url.",
}


class ObjectsSettings(Settings):
    url: str
    """The place: `s3://bucket/folder`, `az://container/folder`, `gs://bucket/folder`, `file:///srv/results`."""
    options: dict[str, str] = Field(default_factory=dict)
    """Options of the store, as obstore names them: `region`, `endpoint`, `allow_http`."""
    secrets: dict[str, Secret] = Field(default_factory=dict)
    """The same for keys: `secret_access_key = "env:AWS_SECRET_ACCESS_KEY"`."""


class ObjectsSink(Sink[ObjectsSettings]):
    Settings = ObjectsSettings

    async def publish(self, job: DeliveryJob, rows: ResultRows) -> Receipt:
        import obstore

        # The job's id makes the name free. After a crash the same bytes come under the same name.
        name = f"{splitext(job.source)[0]}.{job.id}.jsonl"
        try:
            await obstore.put_async(self.store(), name, chunks(rows))
        except (obstore.exceptions.BaseError, FileNotFoundError, ValueError) as error:
            if isinstance(error, OSError) and error.errno:
                raise  # a row could not be read
            raise self.explained(error) from None
        return Receipt(f"{self.settings.url.rstrip('/')}/{name}", rows=sum(job.counts.values()))

    async def check(self) -> Sequence[str]:
        try:
            await asyncio.to_thread(self.store)
        except ValueError as error:
            return [str(self.explained(error))]
        return ()

    def store(self) -> ObjectStore:
        from obstore.store import from_url

        options: dict[str, Any] = {
            **self.settings.options,
            **{name: each.reveal() for name, each in self.settings.secrets.items()},
        }
        if self.settings.url.startswith("file://"):
            return from_url(self.settings.url, mkdir=True)
        # batchd tries again later by itself.
        retry: Any = {"max_retries": 1, "retry_timeout": timedelta(seconds=20)}
        client: Any = {
            "allow_http": options.pop("allow_http", "") == "true",
            "timeout": "60s",
            "connect_timeout": "10s",
        }
        given: Any = options or None
        store: ObjectStore = from_url(self.settings.url, config=given, client_options=client, retry_config=retry)
        return store

    def explained(self, error: Exception) -> TransientError | RejectedError:
        advice = NAMES.get(type(error).__name__)
        text = covered(" ".join(str(error).partition("Debug source")[0].split()))[:300]
        if advice is None and isinstance(error, ValueError):
            advice = "is no address of an object store. Write one such as s3://bucket/folder."
        if advice is None:
            return TransientError(f"The object store {self.settings.url} does not take the results now: {text}")
        return RejectedError(f"The object store {self.settings.url} {advice} It says: {text}")


async def chunks(rows: ResultRows) -> AsyncIterator[bytes]:
    piece = bytearray()
    async for row in rows:
        piece += json.dumps(row.as_dict(), ensure_ascii=False).encode("utf-8", "replace") + b"\n"
        if len(piece) >= CHUNK:
            yield bytes(piece)
            piece.clear()
    yield bytes(piece)


@hookimpl
def register_sinks(register: Register) -> None:
    register("objects", ObjectsSink)
