"""Settings of a provider that calls a service over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, PlainValidator, field_validator, model_validator

from ..plugin_base import Settings
from ..settings import Duration, Secret

_REFERENCES = ("env:", "file:", "credential:")


def _value(value: Any) -> str | Secret:
    if isinstance(value, Secret):
        return value
    if not isinstance(value, str) or not (value.isascii() and value.isprintable()):
        raise ValueError('should be plain text on one line, in quotes, or "env:NAME", "file:PATH" or "credential:NAME"')
    return Secret(value) if value.startswith(_REFERENCES) else value


def _keep_secrets(values: dict[str, str | Secret]) -> dict[str, str | Secret]:
    # A value that looks like a secret is taken for one, and must not be shown.
    return {
        name: Secret(value) if isinstance(value, str) and Secret.suits(name, value) else value
        for name, value in values.items()
    }


HeaderValues = Annotated[dict[str, Annotated[str | Secret, PlainValidator(_value)]], AfterValidator(_keep_secrets)]
"""Headers or query parameters: each value is literal, or where to read it."""


class HttpSettings(Settings):
    """The settings of every service. The subclass adds `api_key`, and a default for `base_url`.

    * `base_url`: the service's address
    * `request_timeout`, `connect_timeout`: the longest silence of the service; the time to connect
    """

    base_url: str
    request_timeout: Duration = 60.0
    connect_timeout: Duration = 10.0

    after_the_address: ClassVar[str] = ""
    """How to write what follows a `?` instead, as the end of an error's sentence."""

    company: ClassVar[tuple[str, str] | None] = None
    """The company whose service is the default of `base_url`, and its domain. Only there may `api_key` be left out."""

    @field_validator("base_url")
    @classmethod
    def _base_url(cls, text: str) -> str:
        text = text.strip()
        url = urlsplit(text)
        if url.scheme not in {"http", "https"} or not url.hostname:
            raise ValueError(f'should be an address such as "{cls.model_fields["base_url"].default}"')
        if "?" in text or "#" in text:
            raise ValueError(f"must end before the `?`{cls.after_the_address}")
        if url.username or url.password:
            raise ValueError("must not hold a user or a password; write the key as `api_key`")
        return text.rstrip("/")

    @model_validator(mode="after")
    def _own_key(self) -> Self:
        if self.company is not None and "api_key" not in self.model_fields_set:
            name, domain = self.company
            if not f".{urlsplit(self.base_url).hostname or ''}".endswith(f".{domain}"):
                # Otherwise a forgotten line would send the key of one company to another.
                raise ValueError(
                    f'api_key is missing: a service other than {name} needs its own, such as "env:ACME_API_KEY"'
                )
        return self

    @property
    def place(self) -> str:
        """The service's address, to tell accounts apart: without a user, the host in lower case."""
        address = urlsplit(self.base_url)
        return f"{address.scheme}://{address.netloc.rpartition('@')[2].lower()}{address.path.rstrip('/')}"

    @staticmethod
    def revealed(values: Mapping[str, str | Secret]) -> dict[str, str]:
        """Headers or query parameters, with every secret read anew. Raises RejectedError if one cannot be read."""
        return {name: value if isinstance(value, str) else value.for_header() for name, value in values.items()}
