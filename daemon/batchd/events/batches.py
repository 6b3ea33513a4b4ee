"""The events of batches."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

from .base import Event, count, size_in_words


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPacked(Event):
    """Parts were put into a new batch."""

    provider: str
    model: str
    parts: int
    jobs: int
    requests: int
    severity: ClassVar[str] = "debug"

    @property
    def sentence(self) -> str:
        return f"Batch {self.batch} has {_questions(self.requests, self.jobs)} for {self.provider} ({self.model})."


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchUploaded(Event):
    """The provider has the input file."""

    upload: str
    size: int
    severity: ClassVar[str] = "debug"

    @property
    def sentence(self) -> str:
        return f"Uploaded batch {self.batch} ({size_in_words(self.size)}) as {self.upload}."


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSubmitted(Event):
    """The provider has the batch. `first` if it is the first of one of its jobs."""

    remote: str
    provider: str = ""
    model: str = ""
    requests: int = 0
    jobs: int = 1
    first: bool = False

    @property
    def sentence(self) -> str:
        if not self.provider:  # recorded by an earlier version
            return f"Sent batch {self.batch} (provider id {self.remote})."
        what = f"{_questions(self.requests, self.jobs)} to {self.provider} ({self.model})"
        return f"Sent {what}, batch {self.batch} (provider id {self.remote})."


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOutcomeUnknown(Event):
    """It is not known whether the provider created the batch; batchd waits and looks before it submits again."""

    reason: str
    wait: float
    severity: ClassVar[str] = "warning"

    @property
    def sentence(self) -> str:
        return (
            f"It is not known whether the provider has created batch {self.batch} ({self.reason.rstrip('.')}). "
            f"batchd looks for it in {self.wait:.0f} s, and does not create it twice."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFound(Event):
    """A batch whose creation was not confirmed was found at the provider."""

    remote: str
    extra_remotes: list[str] = dataclasses.field(default_factory=list)

    @property
    def sentence(self) -> str:
        others = (
            f" It is there a second time, as {', '.join(self.extra_remotes)}, which batchd cancels now."
            if self.extra_remotes
            else ""
        )
        return f"Found batch {self.batch} at the provider, as {self.remote}.{others}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchNotFound(Event):
    """A batch whose creation was not confirmed certainly does not exist; batchd creates it now."""

    @property
    def sentence(self) -> str:
        return f"The provider does not have batch {self.batch}, so batchd creates it now."


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchHeld(Event):
    """A batch waits for a person: batchd cannot know whether it exists, or where its answers are."""

    reason: str
    severity: ClassVar[str] = "error"

    @property
    def sentence(self) -> str:
        return f"Batch {self.batch} waits for you: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchGoesOn(Event):
    """A batch that was held goes on: what was missing is there, or a person has decided."""

    @property
    def sentence(self) -> str:
        return f"Batch {self.batch} goes on."


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchStalled(Event):
    """A batch makes no progress long after its window: batchd cancels it, and asks the rows without an answer again."""

    phase: str
    completed: int
    failed: int
    total: int
    quiet: float
    severity: ClassVar[str] = "warning"

    @property
    def sentence(self) -> str:
        return (
            f"Batch {self.batch} has not moved for {self.quiet / 3_600:.0f} h, long after it should have ended "
            f"({self.phase}, {self.completed + self.failed:,} of {self.total:,} answered). It is cancelled: its "
            "answers are kept, the rest is asked again."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchEnded(Event):
    """The provider has stopped working on the batch, for any reason. `first` as in the event of its submission."""

    phase: str
    completed: int
    failed: int
    total: int
    problems: list[str] = dataclasses.field(default_factory=list)
    provider: str = ""
    first: bool = False

    @property
    def sentence(self) -> str:
        problems = f" It says: {'; '.join(self.problems)}" if self.problems else ""
        failed = f", {self.failed:,} failed" if self.failed else ""
        counts = f"{self.completed:,} of {self.total:,} answered{failed}"
        who = self.provider or "The provider"
        if self.phase == "completed":
            return f"{who} finished batch {self.batch}: {counts}.{problems}"
        return f"{who} ended batch {self.batch}, which is {self.phase}: {counts}.{problems}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallsRepeated(Event):
    """Live calls of unknown outcome were made again: after a kill, or a connection that broke."""

    rows: int
    examples: list[int]
    severity: ClassVar[str] = "warning"

    @property
    def sentence(self) -> str:
        more = ", …" if self.rows > len(self.examples) else ""
        return (
            f"{count(self.rows, 'row')} of batch {self.batch} may be paid twice: it is not known whether the service "
            f"had answered before the connection or batchd broke off (rows {', '.join(map(str, self.examples))}{more})."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchDownloaded(Event):
    """The answers are on our disk."""

    answers: int
    strays: int = 0
    severity: ClassVar[str] = "debug"

    @property
    def sentence(self) -> str:
        strays = f" Set aside, since no row asked for it: {count(self.strays, 'line')}." if self.strays else ""
        return f"Downloaded {count(self.answers, 'answer')} of batch {self.batch}.{strays}"


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageDiffers(Event):
    """The provider's token counts for a batch differ from those in its answers; the provider bills its own."""

    input_tokens: int
    output_tokens: int
    provider_input: int
    provider_output: int
    severity: ClassVar[str] = "warning"

    @property
    def sentence(self) -> str:
        return (
            f"The answers of batch {self.batch} add up to {self.input_tokens:,} tokens of input and "
            f"{self.output_tokens:,} of output; the provider counts {self.provider_input:,} and "
            f"{self.provider_output:,}. "
            "Its bill may differ from the report."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchReturned(Event):
    """A batch did not run; its parts are back in the queue."""

    reason: str
    severity: ClassVar[str] = "warning"

    @property
    def sentence(self) -> str:
        return f"Batch {self.batch} did not run, and its questions are to be sent again: {self.reason}"


def _questions(number: int, jobs: int) -> str:
    of = f" of {count(jobs, 'file')}" if jobs > 1 else ""
    return f"{count(number, 'question')}{of}"
