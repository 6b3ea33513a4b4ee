"""What is posted is signed, and each refusal of a receiver says what happened, where, and what to do."""

from __future__ import annotations

import hashlib
import hmac
import re
import time

import pytest

from batchd import RejectedError, SignedPost, SignedPostSettings, TransientError
from tests.sinks_plugin.receiver import Answer, Receiver

pytestmark = pytest.mark.field("results")

REFUSALS: list[tuple[Answer, type[Exception], str]] = [
    (
        Answer(302, {"Location": "http://127.0.0.1:9/x"}),
        RejectedError,
        "redirects elsewhere.*Write the address.*into url",
    ),
    (Answer(307), RejectedError, "redirects elsewhere"),
    (
        Answer(401, body=b"bad sig"),
        RejectedError,
        "does not accept our signature.*'bad sig'.*Check that secret.*clocks",
    ),
    (Answer(403), RejectedError, "does not accept our signature"),
    (Answer(404), RejectedError, "knows no such address.*Correct url"),
    (Answer(405), RejectedError, "knows no such address"),
    (Answer(413), RejectedError, "takes no content of 10 bytes.*page_bytes"),
    (Answer(400, body=b"no column id"), RejectedError, "refuses the content.*'no column id'"),
    (Answer(422), RejectedError, "refuses the content"),
    (Answer(400, body=b"the secret is s3cret-key-of-the-house"), RejectedError, r"the secret is (?!s3cret)"),
    (Answer(400, body=b"\x1b[2J\x00"), RejectedError, r"status 400\)\. Its log"),
    (Answer(401, body=b"x" * 4_000, endless=True), RejectedError, "'x+'"),
    (Answer(500, body=b"<html>"), TransientError, "answered with status 500"),
    (Answer(429, {"Retry-After": "7"}), TransientError, "status 429"),
    (Answer(503), TransientError, "status 503"),
]


async def test_each_refusal_says_what_to_do_and_none_is_followed() -> None:
    faults = []
    receiver = Receiver(*(answer for answer, _, _ in REFUSALS))
    post = SignedPost(SignedPostSettings(url=receiver.url, secret="s3cret-key-of-the-house"))
    for answer, kind, words in REFUSALS:
        try:
            await post.send(b'{"a": "b"}', key="k")
            faults.append(f"{answer}: taken")
        except (TransientError, RejectedError) as error:
            if type(error) is not kind or not re.search(words, str(error)) or "127.0.0.1" not in str(error):
                faults.append(f"{answer}: {error!r}")
            if answer.headers.get("Retry-After") and getattr(error, "retry_after", None) != 7:
                faults.append(f"{answer}: not when to try again")
    assert len(receiver.requests) == len(REFUSALS)
    await post.aclose()
    receiver.close()
    assert not faults, "\n".join(faults)


async def test_an_answer_without_end_is_not_read() -> None:
    receiver = Receiver(Answer(200, body=b"x" * 65_536, endless=True))
    post = SignedPost(SignedPostSettings(url=receiver.url, secret="s"))
    before = time.monotonic()
    await post.send(b"{}", key="k")
    assert time.monotonic() - before < 5
    await post.aclose()
    receiver.close()


async def test_what_cannot_be_reached_or_does_not_answer_is_tried_later() -> None:
    receiver = Receiver()
    receiver.close()
    post = SignedPost(SignedPostSettings(url=receiver.url, secret="s"))
    with pytest.raises(TransientError, match=r"http://127\.0\.0\.1:\d+ could not be reached \(Connection refused\)"):
        await post.send(b"{}", key="k")
    await post.aclose()


async def test_the_signature_is_of_time_and_content() -> None:
    receiver = Receiver()
    post = SignedPost(SignedPostSettings(url=f"{receiver.url}?token=hidden", secret="s3cret"))
    assert "hidden" not in post.where
    await post.send(b'{"a":1}', key="k-1")
    await post.aclose()
    receiver.close()
    [(headers, content)] = receiver.requests
    signed = headers["Batchd-Timestamp"].encode() + b"." + content
    assert headers["Batchd-Signature"] == f"v1={hmac.new(b's3cret', signed, hashlib.sha256).hexdigest()}"
    assert headers["Idempotency-Key"] == "k-1"
