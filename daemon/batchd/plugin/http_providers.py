"""The base classes of providers over HTTP whose answers are bytes in OpenAI's form."""

from __future__ import annotations

import tempfile
from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import TypeVar

import msgspec

from ..answers.meaning import read_output_line
from ..calls import LiveCall
from ..contracts import BatchProvider, LiveProvider, RemoteBatch
from ..errors import ProviderError, RejectedError, RemoteMissing, TransientError
from ..http.settings import HttpSettings
from ..model import BatchPhase, Body, Purged, Result

HttpSettingsT = TypeVar("HttpSettingsT", bound=HttpSettings)


class HttpBatchProvider(BatchProvider[HttpSettingsT]):
    """Implement `download` and `ask_to_cancel` in place of `results` and `cancel`."""

    async def results(self, batch: RemoteBatch) -> AsyncIterator[Result]:
        """Every readable line of a download, through a temporary file."""
        with tempfile.TemporaryFile() as answers:
            await self.download(batch, answers)
            answers.seek(0)
            # Bytes, so that only a newline ends a line: text would also be split at U+2028 and others.
            for line in answers:
                result = read_output_line(line)
                if result is not None:
                    yield result

    @abstractmethod
    async def ask_to_cancel(self, batch: RemoteBatch) -> None:
        """Make the call that cancels the batch."""

    async def cancel(self, batch: RemoteBatch) -> None:
        """Ask the service to stop the batch. It is no error if the batch has ended already."""
        try:
            await self.ask_to_cancel(batch)
        except RejectedError:
            raise
        except ProviderError as refusal:
            # Services refuse to cancel an ended batch in different ways, so its state decides.
            if not await self._stopping(batch):
                raise refusal from None

    async def delete_each(self, names: Iterable[str], delete: Callable[[str], Awaitable[bool]]) -> Purged:
        """Delete these files and batches. `delete` deletes one, and returns whether the service knew it.

        If it raises a ProviderError, that one is left, and the error is among the problems.
        """
        gone: list[str] = []
        absent: list[str] = []
        problems: list[str] = []
        for name in names:
            try:
                (gone if await delete(name) else absent).append(name)
            except ProviderError as error:
                problems.append(f"{name}: {error}")
        return Purged(gone, absent, problems)

    def require_id(self, name: str | None, call: str) -> str:
        """The id of what a call has made. Raises TransientError if the service has not given it."""
        if name is None:
            raise TransientError(f"{self.settings.base_url} answered {call}.")
        return name

    async def _stopping(self, batch: RemoteBatch) -> bool:
        try:
            phase = (await self.poll(batch)).phase
        except RemoteMissing:
            return True
        return phase.ended or phase is BatchPhase.CANCELLING


class HttpLiveProvider(LiveProvider[HttpSettingsT]):
    """Implement `answer` in place of `complete`."""

    async def complete(self, custom_id: str, body: Body, *, endpoint: str) -> Result:
        """The same as `answer`, decoded."""
        answer = await self.answer(LiveCall(custom_id, msgspec.json.encode(body), endpoint, custom_id))
        if answer.failure is not None:
            return Result(custom_id, answer.failure)
        head = b'{"custom_id":%s,"response":{"status_code":%d,"body":' % (msgspec.json.encode(custom_id), answer.status)
        result = read_output_line(head + answer.body + b'},"error":null}')
        if result is None:
            raise TransientError(f"{self.settings.base_url} answered with something that is not JSON.", answered=True)
        return result
