"""The prompt builder `passthrough`: rows that are complete requests, in OpenAI's batch input format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated

from pydantic import AfterValidator

from batchd import Body, Failure, Json, PromptBuilder, Response, Row, Settings, request_failure, without_thinking

from .json_text import encoded_body


def _path(url: str) -> str:
    if not url.startswith("/"):
        raise ValueError('The url is the path of an endpoint, such as "/v1/chat/completions".')
    return url


class PassthroughSettings(Settings):
    """The prompt table of a route for complete requests."""

    url: Annotated[str, AfterValidator(_path)] = "/v1/chat/completions"
    """The endpoint that each line must name, since a batch has only one."""


class PassthroughBuilder(PromptBuilder[PassthroughSettings]):
    """Sends the body of each line unchanged. The route's parameters only add what the body does not set.

    That holds for the model too. But a batch has one model, and the job is priced for the route's: a body with
    another model is refused when the part is planned, like every request that a service would refuse.
    """

    Settings = PassthroughSettings
    unique = "custom_id"

    def __init__(self, settings: PassthroughSettings) -> None:
        super().__init__(settings)
        self.endpoints = (settings.url,)

    def needs(self) -> Iterable[str]:
        """The columns of a request."""
        return ("custom_id", "body")

    def build(self, row: Row) -> Body | Failure:
        body = self._body(row)
        if isinstance(body, Failure):
            return body
        encoded = encoded_body(body)
        return encoded if isinstance(encoded, Failure) else body

    def encode(self, rows: Iterable[Row], common: Body) -> Iterator[bytes | Failure]:
        for row in rows:
            body = self._body(row)
            yield body if isinstance(body, Failure) else encoded_body({**common, **body})

    def parse(self, response: Response) -> Mapping[str, Json] | Failure:
        """The answer's text; empty for tool calls, embeddings and the like. The `jsonl` sink has the whole answer."""
        failure = response.failure
        return {"answer": response.answer or ""} if failure is None else failure

    def parse_many(self, texts: Iterable[str]) -> Iterator[list[Json] | None]:
        return ([without_thinking(text)] for text in texts)

    def _body(self, row: Row) -> Body | Failure:
        line = row.as_dict()
        failure = request_failure(line, self.settings.url)
        if failure is not None:
            return failure
        body: Body = line["body"]
        return body
