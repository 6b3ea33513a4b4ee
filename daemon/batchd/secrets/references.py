"""References to secrets, and reading them: the only module that resolves a key."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pydantic_core import CoreSchema, core_schema

from ..errors import RejectedError
from .known import remember
from .literals import REFERENCES, is_secret

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler

_LITERAL = ("the configuration file", "then reload the configuration")
_SOURCES = {
    # The environment of a running process cannot be changed, and systemd passes credentials at the start.
    "env": ("the environment variable {name}", "then start batchd again"),
    "file": ("the file {name}", "no restart is needed"),
    "credential": ("the systemd credential {name}", "then restart the service"),
}
"""Where a secret is, and what to do after it was changed there."""


class Secret:
    """A reference to a secret: `env:NAME`, `file:PATH`, `credential:NAME`; any other text is the secret itself.

    batchd reads the secret each time it needs it, so a new key in a file needs no restart. No repr, dump or error
    message shows it.
    """

    __slots__ = ("_reference",)

    def __init__(self, reference: str) -> None:
        self._reference = reference

    @property
    def literal(self) -> bool:
        """True if the configuration contains the secret itself."""
        return not self._reference.startswith(REFERENCES)

    @staticmethod
    def suits(name: str, value: str) -> bool:
        """Whether a text of this name in a configuration is a secret: by its name, or by how it looks."""
        return is_secret(name, value)

    @property
    def where(self) -> str:
        """The source, for a message; never the secret."""
        kind, _, name = self._reference.partition(":")
        return (_LITERAL if self.literal else _SOURCES[kind])[0].format(name=name)

    @property
    def renewal(self) -> str:
        """What to do after the secret was changed there; the end of a sentence."""
        return (_LITERAL if self.literal else _SOURCES[self._reference.partition(":")[0]])[1]

    @property
    def unset(self) -> str | None:
        """What to say if this process can never read the secret, as its environment lacks it; None if it may."""
        if self.literal:
            return None
        kind, _, name = self._reference.partition(":")
        if kind == "env" and not os.environ.get(name):
            return f"The environment variable {name} is not set. Set it, then start batchd again."
        if kind == "credential" and "CREDENTIALS_DIRECTORY" not in os.environ:
            return (
                f"The systemd credential {name} is not there: batchd was not started by systemd with "
                f"LoadCredential={name}:…. Use env:NAME or file:PATH outside systemd."
            )
        return None

    def reveal(self) -> str:
        """The secret. Raises RejectedError if it cannot be read. From then on it is covered in text from outside."""
        value = self._value()
        remember(value)
        return value

    def for_header(self) -> str:
        """The secret as a header may carry it. Raises RejectedError if none can: HTTP libraries would quote it."""
        text = self.reveal().strip()
        if not text or not text.isascii() or not text.isprintable():
            raise RejectedError(
                f"The value in {self.where} cannot be a key: it is empty, or contains line breaks or characters that "
                f"no key has. Copy the key there again; {self.renewal}."
            )
        return text

    def _value(self) -> str:
        unset = self.unset
        if unset is not None:
            raise RejectedError(unset)
        if self.literal:
            return self._reference
        kind, _, name = self._reference.partition(":")
        if kind == "env":
            return os.environ[name]
        return _read(Path(name).expanduser() if kind == "file" else Path(os.environ["CREDENTIALS_DIRECTORY"], name))

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
    if value.strip() in REFERENCES:
        raise ValueError('has nothing after the colon; write "env:NAME", "file:PATH" or "credential:NAME"')
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


def facts_of(settings: Iterable[tuple[str, object]]) -> dict[str, str]:
    """Every secret and every text in the settings of a plugin, by its key. RejectedError if one cannot be read."""
    facts = {}
    for name, value in settings:
        if isinstance(value, Secret):
            facts[name] = value.reveal().strip()
        elif isinstance(value, str):
            facts[name] = value
    return facts


def secrets_in(value: object) -> Iterator[Secret]:
    """Every secret in the settings of a plugin, however deep in lists, tables and models."""
    if isinstance(value, Secret):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from secrets_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from secrets_in(item)
    elif hasattr(value, "model_fields_set"):  # a pydantic model, known without the import, which takes long
        yield from secrets_in(dict(cast("Iterable[tuple[str, object]]", value)))
