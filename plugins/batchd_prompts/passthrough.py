"""The prompt builder `passthrough`: rows that are requests already, in OpenAI's batch input format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import field_validator

from batchd import Body, Failure, Json, PromptBuilder, Response, Row, Settings

from .json_text import encoded_body

_SENT_AGAIN = "Mend the line and drop it again."


class PassthroughSettings(Settings):
    """The prompt table of a route that takes finished requests."""

    url: str = "/v1/chat/completions"
    """The endpoint that the lines must name: a batch has one, the route's."""

    @field_validator("url")
    @classmethod
    def _path(cls, value: str) -> str:
        if not value.startswith("/"):
            raise ValueError('The url is the path of an endpoint, such as "/v1/chat/completions".')
        return value


class PassthroughBuilder(PromptBuilder[PassthroughSettings]):
    """Sends the body of each line as it is; what the route adds only fills in what the body leaves open.

    The model is the exception: a batch has one, and the job was priced for the route's. So a body may name that
    model or none; one that names another fails (in `encode`, which alone is told the route's model).
    """

    Settings = PassthroughSettings

    def needs(self) -> Iterable[str]:
        """What makes a line a request."""
        return ("custom_id", "body")

    def build(self, row: Row) -> Body | Failure:
        """See PromptBuilder."""
        body = self._body(row)
        if isinstance(body, Failure):
            return body
        encoded = encoded_body(body)
        return encoded if isinstance(encoded, Failure) else body

    def encode(self, rows: Iterable[Row], common: Body) -> Iterator[bytes | Failure]:
        """See PromptBuilder."""
        for row in rows:
            body = self._body(row)
            if not isinstance(body, Failure):
                body = _of_another_model(body, common.get("model")) or {**common, **body}
            yield body if isinstance(body, Failure) else encoded_body(body)

    def parse(self, response: Response) -> Mapping[str, Json] | Failure:
        """The answer's text. Tool calls, embeddings and the like have none; the `jsonl` sink has all of the answer."""
        return {"answer": response.text or ""}

    def _body(self, row: Row) -> Body | Failure:
        line: Mapping[str, Any] = row.as_dict()
        custom_id, method, url, body = (line.get(key) for key in ("custom_id", "method", "url", "body"))
        if not isinstance(custom_id, str) or not custom_id:
            return Failure("custom_id", f"custom_id must be a text that is not empty. {_SENT_AGAIN}")
        if method != "POST":
            return Failure("method", f'method must be "POST", not {_said(method)}. {_SENT_AGAIN}')
        if url != self.settings.url:
            return Failure(
                "url", f'url must be "{self.settings.url}", as for all of this folder, not {_said(url)}. {_SENT_AGAIN}'
            )
        if not isinstance(body, dict) or not body:
            return Failure(
                "body", f"body must be a JSON object with the request in it, not {_said(body)}. {_SENT_AGAIN}"
            )
        return body


def _of_another_model(body: Body, model: Json) -> Failure | None:
    if model is None or body.get("model", model) == model:
        return None
    return Failure(
        "model",
        f"The body asks for the model {_said(body['model'])}, but this folder is for “{model}”. Drop the line into the "
        "folder of its model, or remove the model from it.",
    )


def _said(value: Json) -> str:
    """A value as a message shows it."""
    if value is None:
        return "nothing"
    if isinstance(value, dict | list):
        return "a list" if isinstance(value, list) else "an empty object"
    text = str(value)
    return f"“{text if len(text) <= 100 else f'{text[:100]}…'}”"
