"""A provider of live calls. It runs a program for each row, and what that prints is the answer."""

import asyncio
from collections.abc import Sequence
from shutil import which

from batchd import Body, Duration, Failure, LiveProvider, Register, RejectedError, Response, Result, Settings, hookimpl


class ProgramSettings(Settings):
    run: list[str]
    """The program and its arguments, such as `["llm", "-m", "local"]`. There is no shell."""
    timeout: Duration = Duration("10m")


class ProgramProvider(LiveProvider[ProgramSettings]):
    Settings = ProgramSettings

    async def complete(self, custom_id: str, body: Body, *, endpoint: str) -> Result:
        messages = body.get("messages")
        if not messages:
            return Result(custom_id, Failure("no_messages", "There is no message to answer."))
        pipe = asyncio.subprocess.PIPE
        try:
            process = await asyncio.create_subprocess_exec(*self.settings.run, stdin=pipe, stdout=pipe)
        except OSError as error:
            raise RejectedError(f"{self.settings.run[0]} cannot be run: {error.strerror}. Correct `run`.") from None
        try:
            async with asyncio.timeout(self.settings.timeout):
                answer, _ = await process.communicate(str(messages[-1]["content"]).encode())
        except TimeoutError:
            return Result(custom_id, Failure("too_slow", "The program took too long.", transient=True))
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            return Result(custom_id, Failure("status", f"The program ended with status {process.returncode}."))
        message = {"role": "assistant", "content": answer.decode("utf-8", "replace")}
        return Result(custom_id, Response({"choices": [{"message": message, "finish_reason": "stop"}]}))

    async def check(self, models: Sequence[str]) -> Sequence[str]:
        return () if which(self.settings.run[0]) else [f"There is no program {self.settings.run[0]}. Correct `run`."]


@hookimpl
def register_providers(register: Register) -> None:
    register("program", ProgramProvider)
