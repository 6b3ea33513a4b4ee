"""The table of a provider `openai` in config.toml. Its secrets are read when they are needed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError, field_validator

from batchd import Duration, HeaderValues, HttpSettings, Json, Limits, Secret

OPENAI = "https://api.openai.com/v1"
LIMITS = Limits(max_line_bytes=30_000_000)
"""Where a service has no narrower limit: services take pictures of 20 MB, which are a third longer in base64."""
NO_KEY = "none"

_RESERVED = ("input_file_id", "endpoint", "completion_window")


class OpenAISettings(HttpSettings):
    """The settings of a provider `openai`.

    * `base_url`: the service's address, mostly ending in `/v1`
    * `api_key`: where to read the key; required unless `base_url` is OpenAI's, where it is `env:OPENAI_API_KEY`. The
      word `none` stands for a server of one's own that asks for none
    * `organization`, `project`: OpenAI's, sent as headers
    * `headers`, `query`: added to every call; values may be `env:NAME` and the like
    * `completion_window`, `purpose`: sent as they are (Together wants the purpose `batch-api`)
    * `uploads`: "form", or "storage" where the service names an address for the input file (Together)
    * `model_header`: a header that names the model to the upload (LiteLLM wants `x-litellm-model`)
    * `metadata`: whether to mark batches with our key; turn it off if the service refuses it
    * `idempotency_key`: whether creates and live calls carry the header `Idempotency-Key`
    * `extra_body`: more fields for the create call, such as `output_expires_after`
    * `request_timeout`, `connect_timeout`: the longest silence of the service; the time to connect
    * `slowest_upload`: bytes per second; a slower upload is stopped and retried later
    """

    base_url: str = OPENAI
    api_key: Annotated[Literal["none"] | Secret, Field(union_mode="left_to_right")] = Secret("env:OPENAI_API_KEY")
    organization: str | None = None
    project: str | None = None
    headers: HeaderValues = Field(default_factory=dict)
    query: HeaderValues = Field(default_factory=dict)
    completion_window: str = "24h"
    purpose: str = "batch"
    uploads: Literal["form", "storage"] = "form"
    model_header: str | None = Field(default=None, pattern=r"^[A-Za-z0-9-]+$")
    metadata: bool = True
    idempotency_key: bool = True
    extra_body: dict[str, Json] = Field(default_factory=dict)
    slowest_upload: int = Field(default=200_000, gt=0)

    company = ("OpenAI", "openai.com")
    # The SDK would append the path of each call to it: .../v1?api-version=previewbatches
    after_the_address = '; write what comes after it as `query = { name = "value" }`'

    @property
    def key_where(self) -> str:
        """Where the key is read, for messages."""
        return self.api_key.where if isinstance(self.api_key, Secret) else 'api_key, which is "none",'

    @property
    def key_renewal(self) -> str:
        """What to do once a new key is there, for messages."""
        return (self.api_key if isinstance(self.api_key, Secret) else Secret("")).renewal

    @property
    def window(self) -> float:
        """`completion_window` in seconds; a day if it is not a duration."""
        try:
            return TypeAdapter[float](Duration).validate_python(self.completion_window)
        except ValidationError:
            return 86_400.0

    @field_validator("extra_body")
    @classmethod
    def _extra_body(cls, extra: dict[str, Json]) -> dict[str, Json]:
        reserved = [key for key in _RESERVED if key in extra]
        if reserved:
            raise ValueError(f"must not hold {', '.join(reserved)}: batchd sets that")
        if not isinstance(extra.get("metadata", {}), dict):
            raise ValueError("should hold a table as `metadata`")
        return extra


@dataclass(frozen=True, slots=True)
class Access:
    """The credentials as they are now. They are never shown, and are read again while batchd runs."""

    key: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    query: Mapping[str, str] = field(repr=False)

    def account(self, settings: OpenAISettings) -> dict[str, str]:
        """What tells accounts of a service apart: some take the key, or the project, in a header or in the query."""
        more = [sorted(self.headers.items()), sorted(self.query.items())]
        return {
            "API key": self.key,
            "organization": settings.organization or "",
            "project": settings.project or "",
            "address": settings.place,
            "headers or query": json.dumps(more),
        }

    @classmethod
    def read(cls, settings: OpenAISettings) -> Access:
        """Read every secret. Raises RejectedError if one cannot be read."""
        # The SDK and some servers always want a key. The word "none" is no secret, so it is not covered in messages.
        key = settings.api_key.for_header() if isinstance(settings.api_key, Secret) else NO_KEY
        return cls(key, settings.revealed(settings.headers), settings.revealed(settings.query))
