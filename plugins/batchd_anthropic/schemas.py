"""Simplifies JSON Schemas for Anthropic's structured output, which refuses bounds of numbers, lengths and patterns.

The description tells the model what was taken out; batchd itself checks the answer against the whole schema.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from batchd import Json

_KEPT = frozenset(
    {"type", "enum", "const", "$ref", "title", "description", "default", "required", "additionalProperties"}
)
_FORMATS = frozenset({"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"})
_LISTS = {"anyOf": "anyOf", "oneOf": "anyOf", "allOf": "allOf"}
_NAMED = ("properties", "$defs", "definitions")
_SILENT = frozenset({"$schema", "$id", "$comment", "examples"})


def simple_schema(schema: Json) -> Json:
    """The schema without what Anthropic refuses."""
    if not isinstance(schema, Mapping):
        return schema
    made: dict[str, Any] = {}
    told: dict[str, Json] = {}
    for key, value in schema.items():
        if key in _NAMED and isinstance(value, Mapping):
            made[key] = {name: simple_schema(one) for name, one in value.items()}
        elif key in _LISTS and isinstance(value, list):
            made[_LISTS[key]] = [simple_schema(one) for one in value]
        elif key == "items":
            made[key] = simple_schema(value)
        elif key in _KEPT or (key == "format" and value in _FORMATS) or (key == "minItems" and value in (0, 1)):
            made[key] = value
        elif key not in _SILENT:
            told[key] = value
    if made.get("type") == "object" or "properties" in made:
        made["additionalProperties"] = False
    if told:
        words = ", ".join(f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in told.items())
        before = made.get("description")
        made["description"] = f"{before} ({words})" if isinstance(before, str) and before else f"({words})"
    return made
