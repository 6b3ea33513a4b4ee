"""Finds out until when a service keeps the answers of a batch that has ended."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from batchd import Json, read_moment

from .settings import OpenAISettings

KEPT_DAYS = {
    "api.openai.com": 30,
    "api.deepinfra.com": 30,
    "api.groq.com": 30,
    "dashscope.aliyuncs.com": 30,
    "api.perplexity.ai": 30,
    "api.novita.ai": 15,
}
"""Days for which services keep answers by default, according to their own pages. Other services do not say."""
_ENDS = ("completed_at", "expired_at", "cancelled_at", "failed_at", "ended_at", "finished_at")


def answers_until(record: Mapping[str, Json], file: Mapping[str, Json], settings: OpenAISettings) -> float | None:
    """Return when the file expires; else the batch's end plus the time that was asked for or that is known."""
    if (at := read_moment(file.get("expires_at"))) is not None:
        return at
    ended = min((at for key in _ENDS if (at := read_moment(record.get(key))) is not None), default=None)
    kept = _seconds_kept(settings)
    return None if ended is None or kept is None else ended + kept


def _seconds_kept(settings: OpenAISettings) -> float | None:
    wanted = settings.extra_body.get("output_expires_after")
    seconds = wanted.get("seconds") if isinstance(wanted, Mapping) else None
    if isinstance(seconds, int | float) and not isinstance(seconds, bool) and seconds > 0:
        return float(seconds)
    days = KEPT_DAYS.get(urlsplit(settings.base_url).hostname or "")
    return None if days is None else days * 86_400.0
