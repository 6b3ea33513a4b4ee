"""Reads the one JSON object in an answer that fits the schema, whatever a model wrote around it."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import msgspec

from batchd import Failure, Json

from .schema import completed

if TYPE_CHECKING:
    import jsonschema_rs

_decode = msgspec.json.Decoder().decode
_lenient = json.JSONDecoder(strict=False)
_WHOLE = re.compile(r"\s*[+-]?\d{1,40}(?:\.0+)?\s*")
_NUMBER = re.compile(r"\s*[+-]?\d{1,40}(?:\.\d{1,40})?(?:[eE][+-]?\d{1,3})?\s*")
_TRAILING_COMMA = re.compile(r",(\s*[}\]])")
_NO_TEXT = "\ufeff\u200b\u200c\u200d\u2060 \t\r\n"
_MOST_TRIES = 100
"""How many opening braces of a text are tried: each may cost as much as reading the rest of it."""
_MOST_DEPTH = 30
_QUOTED = 200
"""How many characters of an answer a message quotes."""


class JsonReader:
    """Reads answers by one schema. Raises ValueError with a sentence if the schema is not valid."""

    def __init__(self, schema: Mapping[str, Json]) -> None:
        self._schema = completed(schema)
        self._properties: Mapping[str, Json] = schema["properties"]
        self._required: tuple[str, ...] = tuple(self._schema["required"])
        self._more = self._schema.get("additionalProperties", False) is not False
        self._validator = _validator(self._schema)

    def read(self, text: str) -> Mapping[str, Json] | Failure:
        """The object that fits, or why there is none."""
        try:
            first = _decode(text)
        except (ValueError, RecursionError):
            first = None
        if isinstance(first, dict):
            fitted = self.fitted(first)
            if not isinstance(fitted, str):
                return fitted
        return self._found(text, first)

    def _found(self, text: str, first: Json) -> Mapping[str, Json] | Failure:
        reason, fitting = "", []
        for value in _objects(text, first):
            fitted = self.fitted(value)
            if isinstance(fitted, str):
                reason = reason or fitted
            elif fitted not in fitting:
                fitting.append(fitted)
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            reason = f"it has {len(fitting)} different objects that fit"
        elif not reason:
            reason = "expected JSON" if first is None else "expected a JSON object"
        return unparsable(reason, text)

    def fitted(self, answer: Mapping[str, Json]) -> Mapping[str, Json] | str:
        """The object with its values in the schema's types, if that loses nothing; else why it does not fit."""
        missing = [name for name in self._required if name not in answer]
        if missing:
            return f"it has no {_listed(missing)}"
        extra = [name for name in answer if name not in self._properties]
        if extra and not self._more:
            return f"it has {_listed(extra)}, which the schema does not have"
        # A null for an optional property means that the property is left out.
        kept = {name: value for name, value in answer.items() if value is not None or name in self._required}
        if len(kept) < len(answer) and self._validator.is_valid(answer):
            kept = dict(answer)
        try:
            values = _coerced(kept, self._schema, self._schema, 0)
            fault = next(self._validator.iter_errors(values), None) if not self._validator.is_valid(values) else None
        except (ValueError, OverflowError, RecursionError) as error:
            return f"it cannot be checked: {error}"
        return values if fault is None else _said(fault)


def _validator(schema: Mapping[str, Json]) -> jsonschema_rs.Validator:
    # Imported here, so that it is loaded with the first route that has a schema.
    import jsonschema_rs

    try:
        return jsonschema_rs.validator_for(dict(schema), retriever=_refuse)
    except (ValueError, jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError) as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise ValueError(f"The schema is not a valid JSON Schema: {reason}.") from None


def _refuse(address: str) -> Json:
    raise ValueError(f"it refers to {address}, and nothing is fetched for a schema")


def _said(fault: jsonschema_rs.ValidationError) -> str:
    where = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in fault.instance_path).lstrip(".")
    reason = fault.message if len(fault.message) <= 200 else f"{fault.message[:200]}…"
    return f"“{where}” does not fit the schema: {reason}" if where else f"it does not fit the schema: {reason}"


def unparsable(what: str, text: str) -> Failure:
    """The failure for an answer in the wrong form. The model is told what is wrong with it, and asked again."""
    quoted = text if len(text) <= _QUOTED else f"{text[:_QUOTED]}…"
    return Failure("unparsable", f"The answer could not be read: {what}: {quoted!r}.", transient=True, correction=what)


def unfenced(text: str) -> str:
    """The text inside a code fence, if the whole text is in one; else the text."""
    bare = text.strip(_NO_TEXT)
    if len(bare) < 7 or not (bare.startswith("```") and bare.endswith("```")):
        return text
    language, newline, inside = bare[3:-3].partition("\n")
    return inside.strip() if newline and (not language.strip() or language.strip().isalnum()) else text


def json_values(text: str) -> list[Json]:
    """The objects and lists in an answer, each once: the whole answer, or else what stands between words."""
    try:
        values: list[Json] = [_decode(text)]
    except (ValueError, RecursionError):
        values = list(_readings(text, None)) or list(_between_words(text)) or [_loose(text)]
    found: list[Json] = []
    for value in values:
        if isinstance(value, dict | list) and value not in found:
            found.append(value)
    return found


# --- finding ---------------------------------------------------------------------------------------------------


def _objects(text: str, first: Json) -> Iterator[dict[str, Json]]:
    """The objects in a text, the likeliest first: the whole text, a fence's content, then what is between words."""
    for value in _readings(text, first):
        if inside := list(_inside(value)):
            yield from inside
            return
    for value in list(_between_words(text)) or [_loose(text)]:
        yield from _inside(value)


def _readings(text: str, first: Json) -> Iterator[Json]:
    if first is not None:
        yield first
    bare = text.strip(_NO_TEXT)
    for one in dict.fromkeys((bare, unfenced(bare))):
        try:
            yield _lenient.decode(one)
        except (ValueError, RecursionError):
            continue


def _inside(value: Json) -> Iterator[dict[str, Json]]:
    """The objects that a value stands for: itself, or the one in a list of one, in a text of JSON, or in a frame."""
    for _ in range(4):
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        elif isinstance(value, str) and value.lstrip(_NO_TEXT)[:1] in ("{", "["):
            try:
                value = _lenient.decode(value.strip(_NO_TEXT))
            except (ValueError, RecursionError):
                return
        elif isinstance(value, dict):
            yield value
            if len(value) != 1:
                return
            value = next(iter(value.values()))
        else:
            return


def _between_words(text: str) -> Iterator[Json]:
    place, tries = 0, 0
    while tries < _MOST_TRIES and (place := text.find("{", place)) >= 0:
        tries += 1
        try:
            value, end = _lenient.raw_decode(text, place)
        except (ValueError, RecursionError):
            place += 1
            continue
        yield value
        place = end


def _loose(text: str) -> Json:
    """An object as programming languages write it: a comma too many, other quotes; None if there is none."""
    piece = text[text.find("{") : text.rfind("}") + 1]
    if not piece or len(piece) > 20_000:
        return None
    try:
        return _lenient.decode(_TRAILING_COMMA.sub(r"\1", piece))
    except (ValueError, RecursionError):
        pass
    try:
        value = ast.literal_eval(piece)
        return _decode(msgspec.json.encode(value)) if isinstance(value, dict) else None
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return None


# --- coercion without loss -------------------------------------------------------------------------------------


def _coerced(value: Json, schema: Json, root: Mapping[str, Json], depth: int) -> Json:
    """The value in the type that the schema wants, where that loses nothing: "4" → 4, 4.0 → 4, "true" → true."""
    if not isinstance(schema, Mapping) or depth > _MOST_DEPTH:
        return value
    schema = _resolved(schema, root)
    if isinstance(value, dict):
        properties = schema.get("properties")
        if isinstance(properties, Mapping):
            return {
                name: _coerced(each, properties[name], root, depth + 1) if name in properties else each
                for name, each in value.items()
            }
    elif isinstance(value, list):
        items = schema.get("items")
        return [_coerced(each, items, root, depth + 1) for each in value]
    types = _types(schema, root, depth)
    return _converted(value, types) if types else value


def _resolved(schema: Mapping[str, Json], root: Mapping[str, Json]) -> Mapping[str, Json]:
    for _ in range(_MOST_DEPTH):
        reference = schema.get("$ref")
        if not isinstance(reference, str) or not reference.startswith("#/"):
            return schema
        target: Json = root
        for step in reference[2:].split("/"):
            target = target.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(target, Mapping) else None
        if not isinstance(target, Mapping):
            return schema
        schema = target
    return schema


def _types(schema: Mapping[str, Json], root: Mapping[str, Json], depth: int) -> frozenset[str]:
    """The types that a schema allows by its words; empty if it does not say."""
    given = schema.get("type")
    if isinstance(given, str):
        return frozenset((given,))
    if isinstance(given, list):
        return frozenset(each for each in given if isinstance(each, str))
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    if isinstance(values, list):
        return frozenset(_TYPE_OF.get(type(each), "") for each in values)
    types: frozenset[str] = frozenset()
    for key in ("anyOf", "oneOf"):
        for each in schema.get(key) or ():
            if isinstance(each, Mapping) and depth < _MOST_DEPTH:
                types |= _types(_resolved(each, root), root, depth + 1)
    return types


_TYPE_OF = {
    str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null", list: "array", dict: "object",
}  # fmt: skip


def _converted(value: Json, types: frozenset[str]) -> Json:
    if isinstance(value, float) and value.is_integer() and "integer" in types and abs(value) < 2**53:
        return int(value)
    own = _TYPE_OF.get(type(value), "")
    if own in types or (own == "integer" and "number" in types):
        return value
    if isinstance(value, str):
        return _from_text(value, types)
    if "string" in types and isinstance(value, int | float):
        return json.dumps(value)
    return value


def _from_text(text: str, types: frozenset[str]) -> Json:
    if "integer" in types and _WHOLE.fullmatch(text):
        return int(text.partition(".")[0])
    if "number" in types and _NUMBER.fullmatch(text):
        return int(text) if _WHOLE.fullmatch(text) and "." not in text else float(text)
    word = text.strip().lower()
    if "boolean" in types and word in {"true", "false"}:
        return word == "true"
    if "null" in types and word == "null":
        return None
    if types & {"array", "object"} and text.lstrip()[:1] in ("[", "{"):
        try:
            return _decode(text)
        except (ValueError, RecursionError):
            return text
    return text


def _listed(names: list[str]) -> str:
    return ", ".join(f"“{name}”" for name in names[:10])
