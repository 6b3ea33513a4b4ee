"""Checks tables of the config by pydantic models: every fault is a sentence, with the nearest known key.

pydantic's own messages contain the value that was refused, which may be a secret. This module shows no value of a key
that expects a secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar, get_args

from msgspec import Struct
from pydantic import BaseModel, ValidationError

from ..domain.words import Keys, nearest, proposal, show_key
from ..secrets.masking import COVER, mask
from ..settings import Secret

ModelT = TypeVar("ModelT", bound=BaseModel)

_SECRET_NAME = re.compile(
    r"(?i)(^|[_-])(api_?key|access_?key|private_?key|token|secret|passw(or)?d|authorization|credentials?|dsn)$"
)


# pydantic speaks to Python programmers; the operator writes TOML.
_TYPES = {
    "bool_parsing": "should be true or false",
    "bool_type": "should be true or false",
    "dict_type": "should be a table",
    "float_parsing": "should be a number",
    "float_type": "should be a number",
    "int_from_float": "should be a whole number",
    "int_parsing": "should be a whole number",
    "int_type": "should be a whole number",
    "list_type": "should be a list",
    "model_type": "should be a table",
    "string_type": "should be text, in quotes",
    "tuple_type": "should be a list",
}


class SettingFault(Struct, frozen=True):
    """A fault in a table: the keys that lead to it, and a sentence without a full stop."""

    keys: Keys
    sentence: str

    @property
    def in_table(self) -> str:
        """`key: sentence`, or the sentence alone if it is about the whole table."""
        return f"{show_key(self.keys)}: {self.sentence}" if self.keys else self.sentence


def check(
    model: type[ModelT], table: Mapping[str, Any], *, also_known: Iterable[str] = ()
) -> tuple[ModelT | None, list[SettingFault]]:
    """The table as an instance of the model, or all its faults. `also_known` are keys to propose besides the model's.

    An exception of a validator that is not a ValueError is a fault of its author, and passes through.
    """
    try:
        return model.model_validate(table), []
    except ValidationError as error:
        return None, _faults(error, model, table, tuple(also_known))


def literal_secrets(settings: BaseModel) -> Iterator[Keys]:
    """The places where the config contains a secret itself, instead of a reference to it."""
    for name, field in type(settings).model_fields.items():
        for keys in _literal(getattr(settings, name)):
            yield (field.alias or name, *keys)


def looks_secret(key: str) -> bool:
    """Whether a key of this name usually has a secret."""
    return _SECRET_NAME.search(key) is not None


def _literal(value: Any) -> Iterator[Keys]:
    if isinstance(value, Secret):
        if value.literal:
            yield ()
    elif isinstance(value, BaseModel):
        yield from literal_secrets(value)
    elif isinstance(value, Mapping | list | tuple):
        items = value.items() if isinstance(value, Mapping) else enumerate(value)
        for key, item in items:
            for keys in _literal(item):
                yield (key, *keys)


def _faults(
    error: ValidationError, model: type[BaseModel], table: Mapping[str, Any], also_known: tuple[str, ...]
) -> list[SettingFault]:
    secrets = [text for text in _secret_texts(model, table) if len(text) >= 4]
    sentences: dict[Keys, list[str]] = {}
    for detail in error.errors(include_url=False):
        keys = _real(detail["loc"], table, missing=detail["type"] in {"missing", "extra_forbidden"})
        sentence = _sentence(detail, keys, model, also_known)
        for secret in secrets:
            # A validator may quote the value that it refuses, as it is or as a repr.
            sentence = sentence.replace(secret, COVER).replace(repr(secret)[1:-1], COVER)
        # A union gives one fault with a reason for each of its members.
        if sentence not in sentences.setdefault(keys, []):
            sentences[keys].append(sentence)
    return [SettingFault(keys, mask("; or ".join(reasons))) for keys, reasons in sentences.items()]


def _sentence(detail: Any, keys: Keys, model: type[BaseModel], also_known: tuple[str, ...]) -> str:
    kind, message = detail["type"], str(detail["msg"])
    if kind == "extra_forbidden":
        known = {*_known(model, keys[:-1]), *(also_known if len(keys) == 1 else ())}
        return "there is no such key here" + proposal(str(keys[-1]), known, "the keys are")
    if kind == "missing":
        return "is missing"
    if _is_secret(model, keys):
        return 'is not usable as it is; write "env:NAME", "file:PATH" or "credential:NAME"'
    if kind in {"value_error", "assertion_error"}:
        if any(isinstance(key, str) and looks_secret(key) for key in keys):
            return "is not usable (the reason is not shown, as it may repeat a secret)"
        return str(detail["ctx"]["error"]).rstrip(".") or "is not usable"
    if kind in _TYPES:
        return _TYPES[kind]
    if kind == "too_short" and detail["ctx"]["actual_length"] == 0:
        return "is empty"
    sentence = message.replace("Input should be", "should be", 1).removesuffix(".")
    if kind == "literal_error" and isinstance(detail["input"], str):
        meant = nearest(detail["input"], re.findall(r"'([^']*)'", message))
        sentence += f', not "{detail["input"]}"' + (f'; did you mean "{meant}"?' if meant else "")
    return sentence


def _real(location: Keys, table: Mapping[str, Any], *, missing: bool) -> Keys:
    """The keys that lead to a value in the table: the location without pydantic's additions, such as for unions."""
    node: Any = table
    keys: Keys = ()
    for position, key in enumerate(location):
        if isinstance(node, Mapping) and key in node:
            node = node[str(key)]
        elif isinstance(node, list) and isinstance(key, int) and key < len(node):
            node = node[key]
        elif not (missing and position == len(location) - 1):
            continue
        keys = (*keys, key)
    return keys


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)


def _mentions_secret(annotation: Any) -> bool:
    return annotation is Secret or any(_mentions_secret(inner) for inner in get_args(annotation))


def _annotations(model: type[BaseModel], key: object) -> Iterator[Any]:
    for name, field in model.model_fields.items():
        if key in {name, field.alias}:
            yield field.annotation


def _models_at(model: type[BaseModel], keys: Keys) -> list[type[BaseModel]]:
    """The models that may describe the value at `keys`; a list or a free table has the models of its items."""
    models = [model]
    for key in keys:
        inner = [one for each in models for annotation in _annotations(each, key) for one in _models(annotation)]
        models = inner or models
    return models


def _known(model: type[BaseModel], keys: Keys) -> set[str]:
    return {field.alias or name for each in _models_at(model, keys) for name, field in each.model_fields.items()}


def _is_secret(model: type[BaseModel], keys: Keys) -> bool:
    return any(
        _mentions_secret(annotation)
        for position, key in enumerate(keys)
        for each in _models_at(model, keys[:position])
        for annotation in _annotations(each, key)
    )


def _secret_texts(model: type[BaseModel], table: Mapping[str, Any], above: Keys = ()) -> Iterator[str]:
    for key, value in table.items():
        keys = (*above, key)
        if looks_secret(key) or _is_secret(model, keys):
            yield from (text for text in _texts(value) if Secret(text).literal)
        elif isinstance(value, Mapping):
            yield from _secret_texts(model, value, keys)
        elif isinstance(value, list):
            for item in value:
                if isinstance(item, Mapping):
                    yield from _secret_texts(model, item, keys)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
