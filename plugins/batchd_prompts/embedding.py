"""The prompt builder `embedding`: the vector of a row's text, as a list of numbers in one column."""

from __future__ import annotations

import base64
import binascii
import math
import struct
from collections.abc import Iterable, Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from batchd import Body, Failure, Json, PromptBuilder, Response, Row, Settings

from .json_text import BROKEN_TEXT, is_broken
from .template_settings import TemplateText, joined, template


def _named(column: str) -> str:
    if not column.strip():
        raise ValueError("The name of the column is empty.")
    return column


class EmbeddingSettings(Settings):
    """The prompt table of a route for embeddings."""

    input: tuple[str, ...] | None = Field(default=None, min_length=1)
    """The columns whose cells are the text, joined."""
    input_separator: str = "\n"
    """What stands between the cells of `input`."""
    text: TemplateText | None = None
    """In place of `input`: a template, such as `query: {{ question }}`."""
    column: Annotated[str, AfterValidator(_named)] = "embedding"
    """The column that holds the vector, as a list of numbers in JSON."""
    dimensions: int | None = Field(default=None, ge=1, le=65_536)
    """The length of the vectors, for models that let you choose; answers are checked by it."""
    encoding_format: Literal["float", "base64"] | None = None
    """How the service writes the numbers: `base64` makes smaller answers. By default the service chooses."""

    @model_validator(mode="after")
    def _one_text(self) -> EmbeddingSettings:
        if (self.input is None) == (self.text is None):
            raise ValueError(
                'Write what the vector is of: the columns, input = ["text"], or a template, text = "{{ text }}"; and '
                "not both."
            )
        return self


class EmbeddingBuilder(PromptBuilder[EmbeddingSettings]):
    """Asks for one vector a row, and reads it in the forms that services write it in."""

    Settings = EmbeddingSettings
    endpoints = ("/v1/embeddings",)

    def __init__(self, settings: EmbeddingSettings) -> None:
        super().__init__(settings)
        self._text = (
            template(settings.text)
            if settings.text is not None
            else joined(settings.input or (), settings.input_separator)
        )
        self.columns = (settings.column,)
        chosen = {"dimensions": settings.dimensions, "encoding_format": settings.encoding_format}
        self._chosen = {key: value for key, value in chosen.items() if value is not None}
        self.sets = ("input", *self._chosen)

    def needs(self) -> Iterable[str]:
        """The columns of the text."""
        return self._text.needs

    def uses(self) -> Iterable[str] | None:
        return self._text.uses

    def build(self, row: Row) -> Body | Failure:
        text = self._text.render(row)
        if isinstance(text, Failure):
            return text
        if not text.strip():
            return Failure("no_text", "There is no text in this row, so it has no vector.")
        if is_broken(text):
            return BROKEN_TEXT
        return {"input": text, **self._chosen}

    def parse(self, response: Response) -> Mapping[str, Json] | Failure:
        if response.failure is not None:
            return response.failure
        found = list(vectors(response.body))
        if len(found) != 1:
            return _wrong(f"it has {len(found)} vectors, and not one")
        vector = numbers(found[0], self.settings.dimensions)
        if isinstance(vector, str):
            return _wrong(vector)
        wanted = self.settings.dimensions
        if wanted is not None and len(vector) != wanted:
            return _wrong(f"the vector has {len(vector):,} numbers, and {wanted:,} were asked for (dimensions)")
        return {self.settings.column: vector}


def _wrong(what: str) -> Failure:
    # The same text gives the same vector: asking again would cost as much and bring the same.
    return Failure("no_vector", f"The service's answer is no vector: {what}.")


def vectors(body: Mapping[str, Json]) -> Iterable[Json]:
    """The vectors in an answer, as they are written: OpenAI's form, and those of Cohere, Gemini, Ollama and others."""
    for key in ("data", "embeddings", "embedding"):
        value = body.get(key)
        if not value:
            continue
        if key == "embedding" or isinstance(value, str):
            value = [value]
        elif isinstance(value, dict):  # one list for each type of numbers
            value = next((each for each in value.values() if each), [])
        if isinstance(value, list) and value and isinstance(value[0], int | float):
            value = [value]
        if isinstance(value, list):
            yield from map(_bare, value)
            return


def _bare(item: Json) -> Json:
    for _ in range(3):
        if not isinstance(item, dict):
            break
        keys = ("embedding", "values", "vector", "float")
        item = next((item[key] for key in keys if item.get(key) is not None), None)
    while isinstance(item, list) and len(item) == 1 and isinstance(item[0], list):
        item = item[0]
    return item


def numbers(vector: Json, dimensions: int | None) -> list[float] | str:
    """The numbers of a vector, or a text that says what is wrong with it."""
    if isinstance(vector, str):
        try:
            packed = base64.b64decode(vector, validate=True)
        except (binascii.Error, ValueError):
            return "it is text, and not base64"
        if dimensions is not None and len(packed) == dimensions:
            vector = list(struct.unpack(f"{dimensions}b", packed))
        elif packed and len(packed) % 4 == 0:
            # Nine digits are enough to restore the 32-bit number, and make the text half as long.
            vector = [float(f"{each:.9g}") for each in struct.unpack(f"<{len(packed) // 4}f", packed)]
        else:
            return f"it has {len(packed):,} bytes, which are no numbers of 32 bits"
    if not isinstance(vector, list) or not vector:
        return "it holds no list of numbers"
    if not all(isinstance(each, int | float) and not isinstance(each, bool) and math.isfinite(each) for each in vector):
        return "it holds something else than numbers"
    return vector
