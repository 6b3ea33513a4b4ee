"""The limit that a refusal names, in the words of many services."""

from __future__ import annotations

import pytest

from batchd.sending.named_limits import LimitKind, NamedLimit, named_limit

pytestmark = pytest.mark.field("account refusals")

REQUESTS, BYTES, TOKENS = LimitKind.REQUESTS, LimitKind.BYTES, LimitKind.TOKENS


@pytest.mark.parametrize(
    ("code", "message", "limit"),
    [
        ("too_many_tasks", "The batch contains more than the maximum of 500 requests.", NamedLimit(REQUESTS, 500)),
        (
            "invalid_request_error",
            "Too many requests in the file: 10000 lines, limit of 5,000.",
            NamedLimit(REQUESTS, 5000),
        ),
        ("", "A batch takes 5,000 lines at most.", NamedLimit(REQUESTS, 5_000)),
        ("", "The file must not exceed 50000 lines", NamedLimit(REQUESTS, 50_000)),
        ("", "文件最多 100 条请求", NamedLimit(REQUESTS, 100)),
        # Dots between thousands, as most of Europe and Vietnam write them.
        ("", "10,000 lines, more than the limit of 5.000.", NamedLimit(REQUESTS, 5_000)),
        ("", "10.000 lines, more than the limit of 5.000 lines.", NamedLimit(REQUESTS, 5_000)),
        ("", "The file must not exceed 50.000 lines", NamedLimit(REQUESTS, 50_000)),
        ("too_many_tasks", "At most 1.000.000 requests.", NamedLimit(REQUESTS, 1_000_000)),
        ("too_many_tasks", "At most 100.5 requests.", NamedLimit(REQUESTS, 100)),
        ("file_too_large", "The maximum is 209.715.200 bytes.", NamedLimit(BYTES, 209_715_200)),
        ("file_too_large", "The maximum is 209.715 bytes.", NamedLimit(BYTES, 209_715)),
        ("file_too_large", "The maximum is 0.500 GB.", NamedLimit(BYTES, 500_000_000)),
        ("file_too_large", "The maximum is 1.024 MB.", NamedLimit(BYTES, 1_024_000)),
        ("file_too_large", "The maximum is 5.000 GB.", NamedLimit(BYTES, 5_000_000_000)),
        ("", "Your upload exceeds 1.5 GB", NamedLimit(BYTES)),
        ("token_limit_exceeded", "Limit: 200.000 enqueued tokens.", NamedLimit(TOKENS, 200_000)),
        ("token_limit_exceeded", "Limit: 1.500 M enqueued tokens.", NamedLimit(TOKENS, 1_500_000)),
        ("", "Batch queue limit exceeded: at most 1.500.000 tokens", NamedLimit(TOKENS, 1_500_000)),
        ("too_many_tasks", "Too many.", NamedLimit(REQUESTS)),
        ("", "The batch input file is larger than the 209715200 maximum for gpt-4o.", NamedLimit(BYTES, 209_715_200)),
        ("file_too_large", "File is too large: the maximum is 100 MB.", NamedLimit(BYTES, 100_000_000)),
        ("", "file size exceeds the limit of 200MiB", NamedLimit(BYTES, 209_715_200)),
        ("http_413", "413 Request Entity Too Large", NamedLimit(BYTES)),
        ("", "This batch contains 60,000 requests; no more than 50,000 are allowed", NamedLimit(REQUESTS, 50_000)),
        ("", "Number of requests (1000) exceeds limit (500)", NamedLimit(REQUESTS, 500)),
        ("", "文件行数超过限制，最多5000行", NamedLimit(REQUESTS, 5_000)),
        ("", "file must be under 100 MiB", NamedLimit(BYTES, 104_857_600)),
        ("", "Too many tokens queued for batch", NamedLimit(TOKENS)),
        ("", "Batch queue limit exceeded: 1,500,000 tokens may be queued", NamedLimit(TOKENS, 1_500_000)),
        ("", "Your total queued tokens exceeds 20,000,000", NamedLimit(TOKENS, 20_000_000)),
        ("", "排队中的 token 数量超过上限", NamedLimit(TOKENS)),
        ("", "Too many concurrent batches: limit 5", NamedLimit(TOKENS)),
        ("", "You have reached the maximum of 100 active batches", NamedLimit(TOKENS)),
        ("", "At most 10 batches in progress are allowed.", NamedLimit(TOKENS)),
        ("too_many_batches", "No.", NamedLimit(TOKENS)),
        ("", "当前批处理任务数已达上限", NamedLimit(TOKENS)),
        ("token_limit_exceeded", "Limit: 2,000,000 enqueued tokens.", NamedLimit(TOKENS, 2_000_000)),
        ("rate_limit_exceeded", "Rate limit reached for requests: limit 500 requests per minute.", None),
        ("", "File storage of this organisation is full (100 GB).", None),
        ("invalid_request", "No.", None),
        ("duplicate_custom_id", "The custom_id 'job-17' is a duplicate of another request.", None),
    ],
)
def test_what_a_refusal_names(code: str, message: str, limit: NamedLimit | None) -> None:
    assert named_limit(code, message) == limit
