"""OpenRouter's Batch API: requests in the create call, answers in the poll.

Read in November 2026 at openrouter.ai/docs: batch-quickstart, and the API reference of the batch calls. Unverified:
whether a batch that expired or was cancelled has answers (older pages say that it has none, newer ones that it has).
"""

from __future__ import annotations

from collections.abc import Mapping

from batchd import (
    BatchPhase,
    BatchStatus,
    Json,
    Limits,
    Submission,
    read_count,
    read_id,
    read_moment,
    read_problems,
    read_usage,
)

from .dialects import Dialect, table
from .lines import as_line
from .splitter import Item

_PHASES = {phase.value: phase for phase in BatchPhase}
_KEPT = 30 * 86_400.0
_MAX_BATCH_TOKENS = 1 << 50


class OpenRouter(Dialect):
    """One model and one endpoint a batch, at most 5,000 requests and 200 MB."""

    name = "openrouter"
    base_url = "https://openrouter.ai/api/v1"
    key = "env:OPENROUTER_API_KEY"
    # It takes 200 MB, but the whole body must arrive within create_timeout, so batchd sends less by default.
    limits = Limits(max_requests=5_000, max_bytes=50_000_000)
    # 24 hours are promised; on Vertex a batch may take 96, and there is no call to cancel one.
    window = 96 * 3_600.0
    cancel = None
    more_answers = "/results"
    answer_lists = ("results", "data")

    def create_body(self, submission: Submission) -> Mapping[str, Json]:
        """These come before the requests: the service reads the body as it comes, and refuses another order."""
        return {"endpoint": submission.endpoint, "model": submission.model}

    def prefix(self, key: str) -> str:
        """The key: nothing else that the service gives back tells which submission a batch was made from."""
        return f"{key}_"

    def status(self, record: Mapping[str, Json]) -> BatchStatus:
        """Read a status in OpenAI's words."""
        word = str(record.get("status")).lower()
        phase = _PHASES.get(word, BatchPhase.IN_PROGRESS)
        counts = table(record.get("request_counts"))
        created = read_moment(record.get("created_at"))
        details: dict[str, Json] = {} if word in _PHASES else {"unknown_status": word[:100]}
        return BatchStatus(
            phase,
            total=read_count(counts.get("total")),
            completed=read_count(counts.get("completed")),
            failed=read_count(counts.get("failed")),
            problems=read_problems(record.get("error")),
            usage=read_usage(record.get("usage"), most=_MAX_BATCH_TOKENS),
            details=details,
            answers_until=created + _KEPT if created is not None and phase.ended else None,
        )

    def line(self, item: Item, key: str) -> bytes | None:
        """The item as it came, with the custom_id of the request file."""
        return as_line(item, self.prefix(key))

    def is_of(self, record: Mapping[str, Json], submission: Submission) -> bool | None:
        """False if endpoint or size differ. If they are the same, only the answers can tell."""
        if record.get("endpoint") not in {None, submission.endpoint}:
            return False
        total = read_count(table(record.get("request_counts")).get("total"))
        return False if total and total != submission.requests else None

    def next_batches(self, page: Mapping[str, Json], query: Mapping[str, str]) -> Mapping[str, str] | None:
        """Go on after the id of the last batch."""
        last = read_id(page.get("last_id"))
        return {**query, "after": last} if page.get("has_more") is True and last else None

    def next_answers(self, page: Mapping[str, Json]) -> Mapping[str, str] | None:
        """Go on at the cursor, if the answers come in pages."""
        cursor = read_id(page.get("next_cursor"))
        return {"limit": "1000", "cursor": cursor} if cursor else None
