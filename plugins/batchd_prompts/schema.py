"""The JSON Schema of an answer, as services with strict structured output want it."""

from __future__ import annotations

from collections.abc import Mapping

from batchd import Body, Json

_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_NAMED = ("properties", "$defs", "definitions")


def checked_schema(schema: Mapping[str, Json]) -> None:
    """ValueError, in a sentence, if the properties of the schema cannot be columns."""
    if schema.get("type", "object") != "object":
        raise ValueError('The schema must be of an object (type = "object"), since its properties become columns.')
    properties = schema.get("properties")
    if not isinstance(properties, Mapping) or not properties:
        raise ValueError("The schema has no properties. Write one for each column of the answer.")
    if not all(name.strip() for name in properties):
        raise ValueError("A property of the schema has an empty name, which cannot be a column.")
    if not all(isinstance(property_, Mapping) for property_ in properties.values()):
        raise ValueError('Each property of the schema must be a table, such as score = { type = "integer" }.')
    required = schema.get("required", [])
    if not isinstance(required, list) or not set(map(str, required)) <= properties.keys():
        raise ValueError("What the schema calls required must be a list of its own properties.")


def response_format(schema: Mapping[str, Json]) -> Body:
    """The request's parameter that asks for an answer of this schema."""
    complete = _strict({"type": "object", **schema})
    return {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": complete}}


def _strict(schema: Json) -> Json:
    """The schema with what strict mode demands of every object in it, where the author left it open."""
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
