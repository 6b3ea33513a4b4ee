"""Builds values that fit a JSON schema, as far as structured outputs allow schemas."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

Schema = dict[str, Any]
Choose = Callable[[str, list[Any] | None], Any]
"""A function from a property's name and its enum, if any, to a value; None means any value that fits."""

_MAX_DEPTH = 12
_FORMATS = {
    "date": "2026-11-24",
    "time": "09:30:00Z",
    "date-time": "2026-11-24T09:30:00Z",
    "email": "someone@example.com",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def fill(schema: Schema, choose: Choose, text: str) -> Any:
    """A value that fits the schema; `text` is the value of free strings."""
    return _fill(schema, schema, "", choose, text, 0)


def _fill(schema: Any, root: Schema, name: str, choose: Choose, text: str, depth: int) -> Any:
    if not isinstance(schema, dict) or depth > _MAX_DEPTH:
        return None
    if isinstance(reference := schema.get("$ref"), str):
        return _fill(_resolved(reference, root), root, name, choose, text, depth + 1)
    if "const" in schema:
        return schema["const"]
    if choices := schema.get("enum"):
        chosen = choose(name, choices)
        return choices[_number(name + text) % len(choices)] if chosen is None else chosen
    for key in ("anyOf", "oneOf", "allOf"):
        if options := schema.get(key):
            return _fill(options[0], root, name, choose, text, depth + 1)
    kinds = schema.get("type", "object" if "properties" in schema else "string")
    kind = next((one for one in kinds if one != "null"), "null") if isinstance(kinds, list) else kinds
    match kind:
        case "object":
            properties = schema.get("properties") or {}
            return {key: _fill(one, root, key, choose, text, depth + 1) for key, one in properties.items()}
        case "array":
            count = max(1, int(schema.get("minItems", 1)))
            items = schema.get("items", {"type": "string"})
            return [_fill(items, root, name, choose, text, depth + 1) for _ in range(count)]
        case "boolean":
            return _number(name + text) % 2 == 0
        case "integer":
            low, high = _range(schema)
            return low + _number(name + text) % (high - low + 1)
        case "number":
            low, high = _range(schema)
            return low + (high - low) * (_number(name + text) % 100) / 100
        case "null":
            return None
        case _:
            chosen = choose(name, None)
            return _fitting(str(chosen) if chosen is not None else text, schema)


def _resolved(reference: str, root: Schema) -> Any:
    target: Any = root
    for step in reference.removeprefix("#").strip("/").split("/"):
        if step:
            target = target.get(step) if isinstance(target, dict) else None
    return target


def _range(schema: Schema) -> tuple[int, int]:
    low = int(schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1 if "exclusiveMinimum" in schema else 1))
    high = int(schema.get("maximum", schema.get("exclusiveMaximum", low + 5) - 1))
    return low, max(low, high)


def _fitting(text: str, schema: Schema) -> str:
    text = _FORMATS.get(schema.get("format", ""), text)
    text = text[: int(schema.get("maxLength", len(text)))]
    return text.ljust(int(schema.get("minLength", 0)), ".")


def _number(text: str) -> int:
    return zlib.crc32(text.encode("utf-8", "surrogatepass"))
