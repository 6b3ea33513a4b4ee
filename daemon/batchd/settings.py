"""Types for settings: durations as people write them, and secrets that never show."""

from __future__ import annotations

import math
import os
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from .errors import RejectedError

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")


def seconds(text: str | float) -> float:
    """`"500ms"`, `"2s"`, `"10m"`, `"6h"`, `"30d"`, or a number of seconds. ValueError says how to write it."""
    if isinstance(text, bool) or not isinstance(text, str | int | float):
        raise ValueError('write a duration, such as "500ms", "2s", "10m", "6h" or "30d"')
    if isinstance(text, int | float):
        number = float(text)
    else:
        match = _DURATION.fullmatch(text.strip())
        if match is None:
            raise ValueError(f'{text!r} is no duration; write one such as "500ms", "2s", "10m", "6h" or "30d"')
        number = float(match[1]) * _UNITS[match[2]]
    if math.isnan(number):
        raise ValueError('write a duration, such as "500ms", "2s", "10m", "6h" or "30d"')
    if number < 0:
        raise ValueError("a duration cannot be negative")
    return number


Duration = Annotated[float, BeforeValidator(seconds)]
"""Seconds, written as `"2s"` in the config."""


class Secret:
    """Where to read a secret: `env:NAME`, `file:PATH`, `credential:NAME`; anything else is the secret itself.

    It is read each time it is needed, so a rotated key needs no restart; and it never shows in a repr, a
    dump or an error message.
    """

    __slots__ = ("_reference",)

    def __init__(self, reference: str) -> None:
        self._reference = reference

    @property
    def literal(self) -> bool:
        """True if the secret stands in the configuration itself."""
        return not self._reference.startswith(("env:", "file:", "credential:"))

    @property
    def where(self) -> str:
        """Where it is read from, to say in a message; never the secret."""
        if self.literal:
            return "the configuration file"
        kind, _, name = self._reference.partition(":")
        return {
            "env": f"the environment variable {name}",
            "file": f"the file {name}",
            "credential": f"the systemd credential {name}",
        }[kind]

    @property
    def renewal(self) -> str:
        """What makes another secret there count, to end a sentence with."""
        if self.literal:
            return "then reload the configuration"
        return {
            # The environment of a running process cannot be changed, and systemd hands credentials out at the start.
            "env": "then start batchd again",
            "file": "no restart is needed",
            "credential": "then restart the service",
        }[self._reference.partition(":")[0]]

    def reveal(self) -> str:
        """The secret. RejectedError, in words, where it cannot be read."""
        kind, _, name = self._reference.partition(":")
        if self.literal:
            return self._reference
        if kind == "env":
            value = os.environ.get(name, "")
            if not value:
                raise RejectedError(
                    f"The environment variable {name} is not set. Set it to the key and start batchd again."
                )
            return value
        return _read(self._path(kind, name))

    def _path(self, kind: str, name: str) -> Path:
        if kind == "file":
            return Path(name).expanduser()
        folder = os.environ.get("CREDENTIALS_DIRECTORY")
        if folder is None:
            raise RejectedError(
                f"The systemd credential {name} is not there: batchd was not started by systemd with "
                f"LoadCredential={name}:…. Use env:NAME or file:PATH outside systemd."
            )
        return Path(folder, name)

    def __repr__(self) -> str:
        return f"Secret({'…' if self.literal else self._reference!r})"

    def __str__(self) -> str:
        return "…" if self.literal else self._reference

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._reference == other._reference

    def __hash__(self) -> int:
        return hash(self._reference)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            _to_secret, serialization=core_schema.to_string_ser_schema()
        )


def _to_secret(value: Any) -> Secret:
    if isinstance(value, Secret):
        return value
    if not isinstance(value, str) or not value.strip():
        raise ValueError('write "env:NAME", "file:PATH" or "credential:NAME"')
    if value.strip() in ("env:", "file:", "credential:"):
        raise ValueError('says nothing after the colon; write "env:NAME", "file:PATH" or "credential:NAME"')
    return Secret(value.strip())


def _read(path: Path) -> str:
    try:
        value = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise RejectedError(f"The key cannot be read from {path}: {reason}.") from None
    if not value:
        raise RejectedError(f"The key file {path} is empty. Write the key into it.")
    return value
