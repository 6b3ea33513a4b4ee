"""Output files as services, or the storage behind them, may return them: not as one JSON object a line."""

from __future__ import annotations

import codecs
import gzip
import json
from collections.abc import Callable, Mapping
from typing import Any

_NOBODY = b'{"id":"batch_req_0","custom_id":"%b","response":{"status_code":200,"body":{}},"error":null}'


def _lines(content: bytes) -> list[bytes]:
    return content.split(b"\n")[:-1]


def _joined(lines: list[bytes], between: bytes = b"\n") -> bytes:
    return between.join(lines) + b"\n"


def _records(content: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in _lines(content)]


def _otherwise(line: bytes) -> bytes:
    """The same row with another answer."""
    record = json.loads(line)
    for choice in (record["response"] or {}).get("body", {}).get("choices", ()):
        choice["message"]["content"] = "Another answer."
    return json.dumps(record).encode()


def _torn(content: bytes) -> bytes:
    return content[: content.rstrip(b"\n").rfind(b"\n") + 60]


def _half(content: bytes) -> bytes:
    lines = _lines(content)
    return b"".join(line + b"\n" for line in lines[: len(lines) // 2])


SHAPES_OF_FILES: Mapping[str, tuple[str, Callable[[bytes], bytes]]] = {
    "empty": ("empty, with a length of 0", lambda _: b""),
    "half": ("as half of its lines, with a length that fits them", _half),
    "gzip": ("packed with gzip, and no header says so", gzip.compress),
    "bom": ("with a byte order mark", lambda content: codecs.BOM_UTF8 + content),
    "utf-16": ("in UTF-16", lambda content: content.decode().encode("utf-16")),
    "blank": ("with blank lines between", lambda content: b"\n \n" + _joined(_lines(content), b"\n\n\t\n")),
    "array": ("as one JSON array", lambda content: b"[" + _joined(_lines(content), b",").rstrip() + b"]"),
    "under-key": ("as one JSON object", lambda content: json.dumps({"data": _records(content)}, indent=1).encode()),
    "pretty": (
        "each line indented over many",
        lambda content: _joined([json.dumps(each, indent=2).encode() for each in _records(content)]),
    ),
    "one-line": ("all objects on one line", lambda content: _joined(_lines(content), b"")),
    "twice": ("each line twice", lambda content: content + content),
    "otherwise": (
        "each line twice, the second time with another answer",
        lambda content: content + _joined([_otherwise(line) for line in _lines(content)]),
    ),
    "strangers": (
        "with lines of another batch, and of nobody",
        lambda content: _joined(
            [_NOBODY % b"zzzzzzzz-0", *_lines(content), _NOBODY % b"nobody", _NOBODY % b"zzzzzzzz-1"]
        ),
    ),
    "torn": ("cut in its last line, with a length that fits", _torn),
}
"""For each kind: a description for the help, and the function that makes it from the real file."""
