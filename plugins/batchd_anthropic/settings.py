"""The table of a provider `anthropic` in config.toml. Its key is read when it is needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from batchd import Duration, Secret, Settings

ANTHROPIC = "https://api.anthropic.com"


class AnthropicSettings(Settings):
    """The settings of a provider `anthropic`.

    * `base_url`: the service's address, without `/v1`
    * `api_key`: where to read the key; required unless `base_url` is Anthropic's, where it is `env:ANTHROPIC_API_KEY`
    * `version`: sent as the header `anthropic-version`
    * `beta`: sent as the header `anthropic-beta`, for features that are not for everybody yet
    * `max_tokens`: for requests that set none, since the service wants it in each
    * `warm_up`: ask the first row of a job with `cache_control` before the others, so that these find its cache
    * `request_timeout`, `connect_timeout`: the longest silence of the service; the time to connect
    """

    base_url: str = ANTHROPIC
    api_key: Secret = Secret("env:ANTHROPIC_API_KEY")
    version: str = "2023-06-01"
    beta: tuple[str, ...] = ()
    max_tokens: int = Field(default=4_096, gt=0)
    warm_up: bool = False
    request_timeout: Duration = 60.0
    connect_timeout: Duration = 10.0

    @field_validator("base_url")
    @classmethod
    def _base_url(cls, text: str) -> str:
        url = urlsplit(text.strip())
        if url.scheme not in {"http", "https"} or not url.hostname:
            raise ValueError(f'should be an address such as "{ANTHROPIC}"')
        if "?" in text or "#" in text:
            raise ValueError("must end before the `?`")
        if url.username or url.password:
            raise ValueError("must not hold a user or a password; write the key as `api_key`")
        # Others write it with /v1, which each call adds.
        return text.strip().rstrip("/").removesuffix("/v1")

    @field_validator("version", "beta")
    @classmethod
    def _plain(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        for text in (value,) if isinstance(value, str) else value:
            if not text or not text.isascii() or not text.isprintable():
                raise ValueError("should be plain text on one line, in quotes")
        return value

    @model_validator(mode="after")
    def _own_key(self) -> AnthropicSettings:
        host = urlsplit(self.base_url).hostname or ""
        if "api_key" not in self.model_fields_set and not (host == "anthropic.com" or host.endswith(".anthropic.com")):
            # Otherwise a forgotten line would send Anthropic's key to another company.
            raise ValueError(
                'api_key is missing: a service other than Anthropic needs its own, such as "env:ACME_API_KEY"'
            )
        return self


@dataclass(frozen=True, slots=True)
class Access:
    """The key as it is now. Never shown, and read again for each call."""

    key: str = field(repr=False)

    def account(self, settings: AnthropicSettings) -> Mapping[str, str]:
        """What the service tells accounts apart by."""
        address = urlsplit(settings.base_url)
        return {
            "API key": self.key,
            "address": f"{address.scheme}://{address.netloc.lower()}{address.path.rstrip('/')}",
        }

    @classmethod
    def read(cls, settings: AnthropicSettings) -> Access:
        """Read the key. Raises RejectedError if it cannot be read."""
        return cls(settings.api_key.for_header())
