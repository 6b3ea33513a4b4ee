"""Counts the tokens of a picture by its size and the model, with the rule that services state for a family of models.

A picture whose size is not in the request, such as one named by its address, counts as a large one.
"""

from __future__ import annotations

import base64
import binascii
import re
import struct
from collections.abc import Callable
from math import ceil
from typing import Any, TypeAlias

Size: TypeAlias = "tuple[int, int]"

_HEAD = 262_144
"""Characters of base64 that are searched for the size: photographs have a thumbnail before it."""
_LARGE: Size = (4_096, 4_096)
OTHER_MOST = 1_600


def picture_counter(model: str) -> Callable[[Any], int]:
    """Return a function that counts the tokens of a piece of a message that is not text."""
    name = model.lower().rsplit("/", 1)[-1]
    rule = next(rule for pattern, rule in _RULES if re.search(pattern, name))

    def count(piece: Any) -> int:
        url, detail = _picture(piece)
        size = size_of(url) or _LARGE
        return max(1, rule(size, detail == "low"))

    return count


def _picture(piece: Any) -> tuple[str, str]:
    image: Any = piece.get("image_url") if isinstance(piece, dict) else None
    detail: Any = piece.get("detail") if isinstance(piece, dict) else None
    if isinstance(image, dict):
        image, detail = image.get("url"), image.get("detail", detail)
    return (image if isinstance(image, str) else ""), (detail if isinstance(detail, str) else "auto")


def size_of(url: str) -> Size | None:
    """Width and height of the picture in a data URL; None for any other address."""
    head, comma, data = url[: _HEAD + 64].partition(";base64,")
    if not comma or not head.startswith("data:"):
        return None
    try:
        return size_in(base64.b64decode(data[: len(data) // 4 * 4]))
    except (binascii.Error, ValueError, struct.error, IndexError):
        return None


def size_in(head: bytes) -> Size | None:
    """Read width and height from the beginning of a PNG, JPEG, GIF or WebP file."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        width, height = struct.unpack(">II", head[16:24])
    elif head[:6] in (b"GIF87a", b"GIF89a"):
        width, height = struct.unpack("<HH", head[6:10])
    elif head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        width, height = _webp(head)
    elif head.startswith(b"\xff\xd8"):
        width, height = _jpeg(head)
    else:
        return None
    return (width, height) if 0 < width <= 1 << 20 and 0 < height <= 1 << 20 else None


def _webp(head: bytes) -> Size:
    kind = head[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = struct.unpack("<HH", head[26:30])
    return width & 0x3FFF, height & 0x3FFF


def _jpeg(head: bytes) -> Size:
    place = 2
    while place + 9 <= len(head):
        if head[place] != 0xFF:
            place += 1
            continue
        mark = head[place + 1]
        if 0xC0 <= mark <= 0xCF and mark not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", head[place + 5 : place + 9])
            return width, height
        alone = mark in (0x01, 0xFF) or 0xD0 <= mark <= 0xD8
        place += 1 if mark == 0xFF else 2 if alone else 2 + int.from_bytes(head[place + 2 : place + 4], "big")
    return 0, 0


def _fitted(size: Size, longest: float) -> tuple[float, float]:
    scale = min(1.0, longest / max(size))
    return size[0] * scale, size[1] * scale


def _tiles(base: int, tile: int) -> Callable[[Size, bool], int]:
    """OpenAI: scale to fit 2,048 and the shorter side to at most 768, then count each square of 512 pixels."""

    def count(size: Size, low: bool) -> int:
        if low:
            return base
        width, height = _fitted(size, 2_048)
        scale = min(1.0, 768 / min(width, height))
        return base + tile * ceil(width * scale / 512) * ceil(height * scale / 512)

    return count


def _patches(edge: int, most: int, factor: float = 1.0) -> Callable[[Size, bool], int]:
    """A token for each square of `edge` pixels, at most `most`, times `factor`."""
    return lambda size, _low: ceil(min(ceil(size[0] / edge) * ceil(size[1] / edge), most) * factor)


def _by_area(size: Size, _low: bool) -> int:
    """Anthropic: scale to fit 1,568, then count a token for each 750 pixels."""
    width, height = _fitted(size, 1_568)
    return min(ceil(width * height / 750), OTHER_MOST)


def _gemini(size: Size, _low: bool) -> int:
    """Google: 258 tokens for a small picture, else for each tile."""
    if max(size) <= 384:
        return 258
    unit = max(256, min(768, min(size) // 1.5))
    return 258 * min(ceil(size[0] / unit) * ceil(size[1] / unit), 24)


_RULES: tuple[tuple[str, Callable[[Size, bool], int]], ...] = (
    (r"gpt-4o-mini", _tiles(2_833, 5_667)),
    (r"(?:gpt-4\.1|gpt-5).*mini", _patches(32, 1_536, 1.62)),
    (r"(?:gpt-4\.1|gpt-5).*nano", _patches(32, 1_536, 2.46)),
    (r"^o\d+-mini", _patches(32, 1_536, 1.72)),
    (r"gpt-5|chatgpt", _tiles(70, 140)),
    (r"^o\d", _tiles(75, 150)),
    (r"gpt-", _tiles(85, 170)),
    (r"claude", _by_area),
    (r"gemini|gemma", _gemini),
    (r"qwen|qvq", _patches(28, 2_560)),
    (r"pixtral|mistral|mini?stral", _patches(16, 4_096)),
    ("", _by_area),
)
