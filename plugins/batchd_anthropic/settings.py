"""The table of a provider `anthropic` in config.toml. Its key is read when it is needed."""

from __future__ import annotations

from pydantic import Field, field_validator

from batchd import HttpSettings, Secret

ANTHROPIC = "https://api.anthropic.com"


class AnthropicSettings(HttpSettings):
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

    company = ("Anthropic", "anthropic.com")

    @field_validator("base_url")
    @classmethod
    def _without_version(cls, text: str) -> str:
        # The address may be written with /v1, which each call adds.
        return text.removesuffix("/v1")

    @field_validator("version", "beta")
    @classmethod
    def _plain(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        for text in (value,) if isinstance(value, str) else value:
            if not text or not text.isascii() or not text.isprintable():
                raise ValueError("should be plain text on one line, in quotes")
        return value
