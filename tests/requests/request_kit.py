"""Files of batch requests, and what a simple reader of the same rules makes of them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from batchd.model import Failure, Limits
from batchd.requests.file import Finding, RequestFile
from batchd.requests.json_lines import read_json_line
from batchd.requests.rules import request_faults

CHAT = "/v1/chat/completions"
LIMITS = Limits(max_requests=1_000, max_bytes=1_000_000, max_line_bytes=2_000)


def request(name: Any = "a", *, model: str = "small", text: str = "Hi", **changes: Any) -> bytes:
    """A line of a file, without its end."""
    body = {"model": model, "messages": [{"role": "user", "content": text}]}
    line = {"custom_id": name, "method": "POST", "url": CHAT, "body": body, **changes}
    return json.dumps(line, ensure_ascii=False).encode()


def write(path: Path, lines: Iterable[bytes], end: bytes = b"\n") -> Path:
    """A file of these lines."""
    path.write_bytes(b"".join(line + end for line in lines))
    return path


def look(path: Path, limits: Limits = LIMITS, **options: Any) -> tuple[Any, list[Finding]]:
    """The summary of the file, and every bad line."""
    with RequestFile(path, limits, **options) as file:
        summary = file.look()
        findings = list(file.findings())
        assert list(file.findings()) == findings, "gone through again, it was another story"
        return summary, findings


def codes(findings: Sequence[Finding]) -> dict[int, list[str]]:
    """The codes of each bad line."""
    return {finding.line: [fault.code for fault in finding.faults] for finding in findings}


def by_hand(content: bytes, limits: Limits = LIMITS) -> dict[int, list[str]]:
    """The same, with all of the file in memory."""
    bad: dict[int, list[str]] = {}
    good: dict[int, dict[str, Any]] = {}
    assert limits.max_line_bytes is not None
    lines = content.split(b"\n")
    for number, raw in enumerate(lines[:-1] if lines[-1] == b"" else lines, start=1):
        text = raw.removeprefix(b"\xef\xbb\xbf")
        marked, text = text != raw, text.strip(b" \t\r")
        if len(text) + 1 > limits.max_line_bytes:
            bad[number] = ["too_long"]
            continue
        record = read_json_line(text)
        if isinstance(record, Failure):
            bad[number] = [record.code]
        elif faults := request_faults(record):
            bad[number] = [fault.code for fault in faults]
        else:
            good[number] = record
            if marked:
                bad[number] = ["byte_order_mark"]
    pairs = Counter((record["url"], record["body"]["model"]) for record in good.values())
    url, model = pairs.most_common(1)[0][0] if pairs else ("", "")
    seen: set[str] = set()
    for number, record in good.items():
        wrong = ["invalid_url"] if record["url"] != url else []
        wrong += ["mismatched_model"] if record["body"]["model"] != model else []
        if not wrong:
            wrong += ["duplicate_custom_id"] if record["custom_id"] in seen else []
            seen.add(record["custom_id"])
        if wrong:
            bad[number] = bad.get(number, []) + wrong
    return bad


def requests_in(path: Path) -> list[dict[str, Any]]:
    """What stands in a file that was written."""
    content = path.read_bytes()
    assert content.endswith(b"\n")
    assert len(content.decode().splitlines()) == content.count(b"\n"), "a reader of lines would cut one"
    return [msgspec.json.decode(line) for line in content.splitlines()]
