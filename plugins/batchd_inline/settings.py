"""The table of a provider `inline` in config.toml. Its secrets are read when they are needed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, PlainValidator, field_validator, model_validator

from batchd import Duration, Json, Secret, Settings

from .dialects import Dialect
from .mistral import Mistral
from .openrouter import OpenRouter
from .xai import XAI

DIALECTS: Mapping[str, Dialect] = {dialect.name: dialect for dialect in (OpenRouter(), Mistral(), XAI())}

_REFERENCES = ("env:", "file:", "credential:")
_OURS = frozenset({"requests", "endpoint", "model", "input_file_id", "name", "metadata"})


def _value(value: Any) -> str | Secret:
    if isinstance(value, Secret):
        return value
    if not isinstance(value, str) or not (value.isascii() and value.isprintable()):
        raise ValueError('should be plain text on one line, in quotes, or "env:NAME", "file:PATH" or "credential:NAME"')
    return Secret(value) if value.startswith(_REFERENCES) else value


class InlineSettings(Settings):
    """The settings of a provider `inline`.

    * `dialect`: whose calls the service has
    * `base_url`: the service's address; by default that of the dialect's own service
    * `api_key`: where to read the key; by default as the dialect's own service names it; needed for another `base_url`
    * `headers`: added to every call; values may be `env:NAME` and the like
    * `extra_body`: more fields for the create call, such as OpenRouter's `provider`
    * `request_timeout`, `connect_timeout`: the longest silence of the service; the time to connect
    * `slowest_upload`: bytes per second; a slower upload is stopped and retried later
    """

    dialect: Literal["openrouter", "mistral", "xai"] = "openrouter"
    base_url: str = OpenRouter.base_url
    api_key: Secret = Secret(OpenRouter.key)
    headers: dict[str, Annotated[str | Secret, PlainValidator(_value)]] = Field(default_factory=dict)
    extra_body: dict[str, Json] = Field(default_factory=dict)
    request_timeout: Duration = 60.0
    connect_timeout: Duration = 10.0
    slowest_upload: int = Field(default=200_000, gt=0)

    @property
    def shape(self) -> Dialect:
        """The dialect itself."""
        return DIALECTS[self.dialect]

    @model_validator(mode="before")
    @classmethod
    def _of_the_dialect(cls, values: Any) -> Any:
        if not isinstance(values, dict) or not isinstance(
            dialect := DIALECTS.get(values.get("dialect", "openrouter")), Dialect
        ):
            return values
        elsewhere = values.get("base_url") not in {None, "", dialect.base_url}
        if elsewhere and "api_key" not in values:
            # Otherwise a forgotten line would send the key of one company to another.
            raise ValueError(f"api_key is missing: an address other than {dialect.base_url} needs its own")
        return {"api_key": dialect.key, **values, "base_url": values.get("base_url") or dialect.base_url}

    @field_validator("base_url")
    @classmethod
    def _base_url(cls, text: str) -> str:
        url = urlsplit(text.strip())
        if url.scheme not in {"http", "https"} or not url.hostname:
            raise ValueError('should be an address such as "https://openrouter.ai/api/v1"')
        if "?" in text or "#" in text:
            raise ValueError("must end before the `?`")
        if url.username or url.password:
            raise ValueError("must not hold a user or a password; write the key as `api_key`")
        return text.strip().rstrip("/")

    @field_validator("headers")
    @classmethod
    def _keep_secrets(cls, values: dict[str, str | Secret]) -> dict[str, str | Secret]:
        # What looks like a secret is one, and must not be shown.
        return {
            name: Secret(value) if isinstance(value, str) and Secret.suits(name, value) else value
            for name, value in values.items()
        }

    @field_validator("extra_body")
    @classmethod
    def _extra_body(cls, extra: dict[str, Json]) -> dict[str, Json]:
        reserved = sorted(_OURS & extra.keys())
        if reserved:
            raise ValueError(f"must not hold {', '.join(reserved)}: batchd sets that")
        return extra

    def sent_headers(self) -> dict[str, str]:
        """The headers of a call, with every secret read anew. Raises RejectedError if one cannot be read."""
        headers = {"Authorization": f"Bearer {self.api_key.for_header()}"}
        for name, value in self.headers.items():
            headers[name] = value if isinstance(value, str) else value.for_header()
        return headers
