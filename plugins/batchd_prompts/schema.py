"""The JSON Schema of an answer, in the form that strict structured output requires."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from batchd import Body, Json

_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_NAMED = ("properties", "$defs", "definitions")


def checked_schema(schema: Mapping[str, Json]) -> None:
    """Raise ValueError with a sentence if the properties of the schema cannot be columns."""
    if schema.get("type", "object") != "object":
        raise ValueError('The schema must describe an object (type = "object"), since its properties become columns.')
    properties = schema.get("properties")
    if not isinstance(properties, Mapping) or not properties:
        raise ValueError("The schema has no properties. Write one for each column of the answer.")
    if not all(name.strip() for name in properties):
        raise ValueError("A property of the schema has an empty name, which cannot be a column.")
    if not all(isinstance(property_, Mapping) for property_ in properties.values()):
        raise ValueError('Each property of the schema must be a table, such as score = { type = "integer" }.')
    required = schema.get("required", [])
    if not isinstance(required, list) or not set(map(str, required)) <= properties.keys():
        raise ValueError("The schema's `required` must be a list of its own properties.")


def response_format(schema: Mapping[str, Json]) -> Body:
    """The request parameter that asks for an answer with this schema."""
    return {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": completed(schema)}}


def completed(schema: Mapping[str, Json]) -> dict[str, Json]:
    """The schema as it is sent, and as answers are checked against it: with what its author left out added."""
    return _strict({"type": "object", **schema})  # type: ignore[no-any-return]  # of a mapping it makes a dict


def in_words(schema: Mapping[str, Json]) -> str:
    """The instruction for services that do not take a schema beside the prompt."""
    text = msgspec.json.encode(completed(schema)).decode()
    return f"Answer with one JSON object, and nothing else, that fits this JSON Schema: {text}"


def _strict(schema: Json) -> Json:
    """The schema with the keys that strict mode requires of every object, where the author left them out."""
    if not isinstance(schema, Mapping):
        return schema
    complete = dict(schema)
    for key in _NAMED:
        if isinstance(complete.get(key), Mapping):
            complete[key] = {name: _strict(one) for name, one in complete[key].items()}
    for key in _LISTS:
        if isinstance(complete.get(key), list):
            complete[key] = [_strict(one) for one in complete[key]]
    if "items" in complete:
        complete["items"] = _strict(complete["items"])
    if isinstance(complete.get("properties"), Mapping):
        complete.setdefault("required", list(complete["properties"]))
        complete.setdefault("additionalProperties", False)
    return complete
