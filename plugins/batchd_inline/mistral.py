"""Mistral's batch jobs with the requests in the create call, and the answers in the job or in files.

Read in November 2026 at docs.mistral.ai (studio-api/batch-processing, resources/known-limitations, the release note of
2026-01-19, the API reference) and in Mistral's own Python client. According to others: at most 10,000 requests in a
create call. Unverified: the largest size of one, and whether rows that failed are among the outputs or in the error
file, so both are read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from batchd import BatchPhase, BatchStatus, Json, Limits, Submission, read_count, read_id, read_moment, read_problems

from .dialects import Dialect, table
from .lines import as_line
from .splitter import Item

_PHASES = {
    "QUEUED": BatchPhase.VALIDATING,
    "RUNNING": BatchPhase.IN_PROGRESS,
    "SUCCESS": BatchPhase.COMPLETED,
    "FAILED": BatchPhase.FAILED,
    "TIMEOUT_EXCEEDED": BatchPhase.EXPIRED,
    "CANCELLATION_REQUESTED": BatchPhase.CANCELLING,
    "CANCELLED": BatchPhase.CANCELLED,
}
_KEPT = 86_400.0
_PAGE = 100
_FILES = ("output_file", "error_file")


class Mistral(Dialect):
    """One model and one endpoint a job."""

    name = "mistral"
    base_url = "https://api.mistral.ai/v1"
    key = "env:MISTRAL_API_KEY"
    limits = Limits(max_requests=10_000, max_bytes=50_000_000)
    window = 24 * 3_600.0
    batches = "/batch/jobs"
    cancel = "/cancel"
    answer_query = {"inline": "true"}  # noqa: RUF012  # a ClassVar in Dialect
    answer_lists = ("outputs",)

    def create_body(self, submission: Submission) -> Mapping[str, Json]:
        """Put the key into the metadata, which the list of jobs gives back."""
        return {
            "endpoint": submission.endpoint,
            "model": submission.model,
            "metadata": {"batchd_key": submission.key},
        }

    def status(self, record: Mapping[str, Json]) -> BatchStatus:
        """Read a status in capitals, counts under other names, and errors with how often each occurred."""
        word = str(record.get("status")).upper()
        phase = _PHASES.get(word, BatchPhase.IN_PROGRESS)
        ended = read_moment(record.get("completed_at"))
        files: dict[str, Json] = {"files": [file for name in _FILES if (file := read_id(record.get(name)))]}
        return BatchStatus(
            phase,
            total=read_count(record.get("total_requests")),
            completed=read_count(record.get("succeeded_requests")),
            failed=read_count(record.get("failed_requests")),
            # Errors of single requests are listed here too, and are not why the job failed.
            problems=read_problems(record.get("errors")) if phase is BatchPhase.FAILED else (),
            details=files if word in _PHASES else {**files, "unknown_status": word[:100]},
            answers_until=ended + _KEPT if ended is not None and phase.ended else None,
        )

    def line(self, item: Item, key: str) -> bytes | None:
        """The item is an output line already."""
        return as_line(item)

    def is_of(self, record: Mapping[str, Json], submission: Submission) -> bool | None:
        """Compare the key in the metadata."""
        return table(record.get("metadata")).get("batchd_key") == submission.key

    def first_batches(self) -> Mapping[str, str]:
        """Pages are counted from 0."""
        return {"page": "0", "page_size": str(_PAGE)}

    def next_batches(self, page: Mapping[str, Json], query: Mapping[str, str]) -> Mapping[str, str] | None:
        """Go on while a page has jobs, up to the total of the list."""
        following, total = int(query["page"]) + 1, page.get("total")
        enough = isinstance(total, int) and following * _PAGE >= total
        return None if enough or not page.get(self.listed) else {**query, "page": str(following)}

    def answer_files(self, record: Mapping[str, Json], written: int) -> Iterator[str]:
        """The output file if the job held no answers; the error file if some are still missing."""
        status = self.status(record)
        output, error = (read_id(record.get(name)) for name in _FILES)
        if output and not written:
            yield output
        if error and written < status.completed + status.failed:
            yield error
