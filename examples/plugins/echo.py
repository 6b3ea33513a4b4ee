"""A provider. Its service is its own folder of state, and it answers each request with the question itself."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

from batchd import (
    BatchPhase,
    BatchProvider,
    BatchStatus,
    Register,
    RemoteBatch,
    RemoteMissing,
    Response,
    Result,
    Submission,
    hookimpl,
)


class EchoProvider(BatchProvider):
    async def submit(self, submission: Submission) -> str:
        await asyncio.to_thread(keep, submission.file, self.state_folder / submission.key)
        return submission.key

    async def find(self, submission: Submission) -> Sequence[str]:
        return [submission.key] if (self.state_folder / submission.key).exists() else []

    async def poll(self, batch: RemoteBatch) -> BatchStatus:
        if not (self.state_folder / batch.id).exists():
            raise RemoteMissing(f"There is no batch {batch.id}.")
        return BatchStatus(BatchPhase.COMPLETED)

    async def results(self, batch: RemoteBatch) -> AsyncIterator[Result]:
        for line in lines_of(self.state_folder / batch.id):
            request = json.loads(line)
            message = {"content": request["body"]["messages"][-1]["content"]}
            yield Result(request["custom_id"], Response({"choices": [{"message": message}]}))


def keep(file: Path, target: Path) -> None:
    draft = target.with_suffix(".draft")
    shutil.copyfile(file, draft)
    draft.rename(target)


def lines_of(path: Path) -> Iterator[bytes]:
    with path.open("rb") as lines:
        yield from lines


@hookimpl
def register_providers(register: Register) -> None:
    register("echo", EchoProvider)
