"""Reads the lines of an input file, and refuses them with the messages of the real service's validation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

from ..answers.answering import ENDPOINTS, Request, unreadable_body
from ..refusals import Refusal
from .worker_messages import BatchError

Body = TypeVar("Body")

REPORTED_ERRORS = 1000
"""The most errors that are listed: a list of millions is of no use and would not fit in memory."""


class RequestLine(msgspec.Struct, Generic[Body]):
    """One line: a request and its custom_id."""

    custom_id: str
    method: str
    url: str
    body: Body


@dataclass(frozen=True, slots=True)
class BadBody:
    """A body that passes validation but is answered with 4xx."""

    refusal: Refusal


_DECODERS: dict[str, Callable[[bytes], RequestLine[Any]]] = {
    path: msgspec.json.Decoder(RequestLine[endpoint.request]).decode  # type: ignore[name-defined]
    for path, endpoint in ENDPOINTS.items()
}


class LineRefused(Exception):
    """Raised for a line that makes the whole batch invalid."""

    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self._error = code, message, param

    def at(self, line: int) -> BatchError:
        """The error as an item of `errors.data`."""
        return BatchError(*self._error, line)


class LineReader:
    """Reads the lines of one input file in order."""

    def __init__(self, endpoint: str, models: tuple[str, ...] | None) -> None:
        self._endpoint = endpoint
        self._models = models
        self._decode = _DECODERS[endpoint]
        self._seen: set[str] = set()
        self.model: str | None = None
        """The one model of the file, from its first line."""

    def read(self, raw: bytes) -> tuple[str, Request | BadBody]:
        """The custom_id and the request of a line. Raises LineRefused."""
        try:
            line = self._decode(raw)
        except msgspec.DecodeError as reason:
            return self._read_slowly(raw, str(reason))
        self._check(line.custom_id, line.method, line.url, line.body.model)
        if getattr(line.body, "stream", None):
            raise LineRefused("streaming_unsupported", "Streaming is not supported in the Batch API.", "body.stream")
        return line.custom_id, line.body

    def _check(self, custom_id: str, method: str, url: str, model: str) -> None:
        if not custom_id:
            raise _missing("custom_id")
        if method != "POST":
            raise LineRefused("invalid_method", f"Invalid value: '{method}'. Supported values are: 'POST'.", "method")
        if url != self._endpoint:
            raise LineRefused(
                "invalid_url",
                f"The URL '{url}' provided for this request does not match the batch endpoint '{self._endpoint}'.",
                "url",
            )
        if model != self.model:
            if self.model is not None:
                raise LineRefused(
                    "mismatched_model",
                    f"The model '{model}' for this request does not match the rest of the batch. Each batch must"
                    " contain requests for a single model.",
                    "body.model",
                )
            if self._models is not None and model not in self._models:
                raise LineRefused(
                    "model_not_found",
                    f"The provided model '{model}' is not supported by the Batch API.",
                    "body.model",
                )
            self.model = model
        if custom_id in self._seen:
            raise LineRefused(
                "duplicate_custom_id",
                f"The custom_id '{custom_id}' for this request is a duplicate of another request. The custom_id"
                " parameter must be unique for each request in a batch.",
                "custom_id",
            )
        self._seen.add(custom_id)

    def _read_slowly(self, raw: bytes, reason: str) -> tuple[str, BadBody]:
        try:
            line = msgspec.json.decode(raw)
        except msgspec.DecodeError:
            line = None
        if not isinstance(line, dict):
            raise LineRefused("invalid_json_line", "This line is not parseable as valid JSON.")
        for name in ("custom_id", "method", "url"):
            if not isinstance(line.get(name), str):
                raise _missing(name)
        body = line.get("body")
        if not isinstance(body, dict):
            raise _missing("body")
        if not isinstance(body.get("model"), str):
            raise _missing("body.model")
        self._check(line["custom_id"], line["method"], line["url"], body["model"])
        return line["custom_id"], BadBody(unreadable_body(reason))


def _missing(name: str) -> LineRefused:
    return LineRefused("missing_required_parameter", f"Missing required parameter: '{name}'.", name)
