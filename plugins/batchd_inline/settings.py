"""The table of a provider `inline` in config.toml. Its secrets are read when they are needed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from batchd import HeaderValues, HttpSettings, Json, Secret

from .dialects import Dialect
from .mistral import Mistral
from .openrouter import OpenRouter
from .xai import XAI

DIALECTS: Mapping[str, Dialect] = {dialect.name: dialect for dialect in (OpenRouter(), Mistral(), XAI())}

_OURS = frozenset({"requests", "endpoint", "model", "input_file_id", "name", "metadata"})


class InlineSettings(HttpSettings):
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
    headers: HeaderValues = Field(default_factory=dict)
    extra_body: dict[str, Json] = Field(default_factory=dict)
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

    @field_validator("extra_body")
    @classmethod
    def _extra_body(cls, extra: dict[str, Json]) -> dict[str, Json]:
        reserved = sorted(_OURS & extra.keys())
        if reserved:
            raise ValueError(f"must not hold {', '.join(reserved)}: batchd sets that")
        return extra

    def sent_headers(self) -> dict[str, str]:
        """The headers of a call, with every secret read anew. Raises RejectedError if one cannot be read."""
        return {"Authorization": f"Bearer {self.api_key.for_header()}", **self.revealed(self.headers)}
