"""The prompt builder `template`: a text filled with the row's cells, and an answer read into columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from pydantic import ConfigDict, Field, field_validator, model_validator

from batchd import Body, Failure, Json, PromptBuilder, Response, Row, Settings

from .answers import Answers, Separated, Structured, WholeText, read_answer
from .json_answers import JsonReader
from .json_text import BROKEN_TEXT
from .schema import checked_schema, in_words, response_format

if TYPE_CHECKING:
    from .rendering import Template


class TemplateSettings(Settings):
    """The prompt table of a route."""

    model_config = ConfigDict(serialize_by_alias=True)

    system: str | None = None
    """The system message, a template like `user`."""
    user: str
    """The question about each row, in Jinja2: `{{ column }}` or `{{ row["Any name"] }}` is a cell."""
    columns: tuple[str, ...] | None = None
    """The columns that the answer fills; by default only `answer`."""
    separator: str | None = None
    """The text between the pieces of an answer with more than one column."""
    json_schema: dict[str, Json] | None = Field(default=None, alias="schema")
    """A JSON Schema, requested as structured output; its properties become the columns."""
    keep_thinking: bool = False
    """Whether the model's thinking at the front of an answer, such as `<think>…</think>`, is part of the answer."""
    keep_answer: str | None = None
    """A column more, for the answer as it came: also where it could not be read, and the row fails."""
    schema_mode: Literal["strict", "json_object", "prompt"] = "strict"
    """How the schema is asked for: as strict structured output; as JSON, with the schema in the prompt; or in the
    prompt alone, for services that refuse both."""
    system_role: Literal["system", "developer", "user"] = "system"
    """The role of the system message. With `user` it stands before the question, in one message."""

    @field_validator("system", "user")
    @classmethod
    def _understood(cls, value: str | None) -> str | None:
        if value is not None:
            _template(value)
        return value

    @field_validator("user")
    @classmethod
    def _asks(cls, value: str) -> str:
        if not value.strip():
            raise ValueError('The prompt is empty. Write a question about each row, such as "Review: {{ review }}".')
        return value

    @field_validator("columns")
    @classmethod
    def _names(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if value is None:
            return None
        if not value:
            raise ValueError("The list of columns is empty. Name the columns of the answer, or leave the list out.")
        if not all(name.strip() for name in value):
            raise ValueError("One of the columns has an empty name.")
        duplicate = next((name for name in value if value.count(name) > 1), None)
        if duplicate is not None:
            raise ValueError(f"The column “{duplicate}” is listed twice.")
        return value

    @field_validator("json_schema")
    @classmethod
    def _of_an_object(cls, value: dict[str, Json] | None) -> dict[str, Json] | None:
        if value is not None:
            checked_schema(value)
            JsonReader(value)
        return value

    @model_validator(mode="after")
    def _one_form(self) -> TemplateSettings:
        columns, separator = self.columns, self.separator
        if self.keep_answer is not None:
            if not self.keep_answer.strip():
                raise ValueError("The name in keep_answer is empty. Write the name of the column for the whole answer.")
            if self.keep_answer in (columns or (self.json_schema or {}).get("properties") or ("answer",)):
                raise ValueError(f"keep_answer is “{self.keep_answer}”, which is a column already. Write another name.")
        if self.json_schema is None and self.schema_mode != "strict":
            raise ValueError("There is a schema_mode, but no schema. Remove it, or write the schema.")
        if self.system is None and self.system_role != "system":
            raise ValueError("There is a system_role, but no system message. Remove it, or write the message.")
        if self.json_schema is not None:
            if separator is not None:
                raise ValueError("There are both a separator and a schema. Remove one of them.")
            if columns is not None:
                raise ValueError("The columns are the properties of the schema. Remove columns, or the schema.")
        elif separator == "":
            raise ValueError('The separator is empty. Write the text between the pieces, such as "|".')
        elif separator is not None and (columns is None or len(columns) == 1):
            raise ValueError(
                "A separator needs two columns or more. List them in columns, or remove the separator: the answer is "
                "then one column."
            )
        elif columns is not None and len(columns) > 1 and separator is None:
            raise ValueError(
                f"An answer for {len(columns)} columns must be split into pieces. Set the separator that the prompt "
                'asks for, such as "|", or a schema.'
            )
        return self


class TemplateBuilder(PromptBuilder[TemplateSettings]):
    """Builds chat requests (`messages`) from the templates in its settings."""

    Settings = TemplateSettings
    endpoints = ("/v1/chat/completions",)

    def __init__(self, settings: TemplateSettings) -> None:
        super().__init__(settings)
        self._templates = [_template(text) for text in (settings.system, settings.user) if text is not None]
        self._answers = _answers(settings)
        kept = () if settings.keep_answer is None else (settings.keep_answer,)
        self.columns = (*self._answers.columns, *kept)
        mode = settings.schema_mode if settings.json_schema is not None else "prompt"
        self._format = None
        if settings.json_schema is not None and mode != "prompt":
            self._format = response_format(settings.json_schema) if mode == "strict" else {"type": "json_object"}
        told = settings.json_schema is not None and mode != "strict"
        self._instruction = in_words(settings.json_schema or {}) if told else ""
        self.sets = ("messages", "response_format") if self._format is not None else ("messages",)

    def needs(self) -> Iterable[str]:
        """The columns in the templates, except those tested with `is defined` or `default`."""
        return tuple(dict.fromkeys(column for template in self._templates for column in template.needs))

    def build(self, row: Row) -> Body | Failure:
        """See PromptBuilder."""
        texts = []
        for template in self._templates:
            text = template.render(row)
            if isinstance(text, Failure):
                return text
            try:
                text.encode()
            except UnicodeEncodeError:
                return BROKEN_TEXT
            texts.append(text)
        return self._body(texts)

    def encode(self, rows: Iterable[Row], common: Body) -> Iterator[bytes | Failure]:
        """See PromptBuilder."""
        from .request_lines import encode_requests

        return encode_requests(rows, self._templates, self._body, common)

    def parse(self, response: Response) -> Mapping[str, Json] | Failure:
        """See PromptBuilder."""
        read = read_answer(response, self._answers, keep_thinking=self.settings.keep_thinking)
        kept = self.settings.keep_answer
        if kept is None:
            return read
        whole = {kept: response.text or ""}
        return replace(read, answer=whole) if isinstance(read, Failure) else {**read, **whole}

    def _body(self, texts: Sequence[str]) -> Body:
        *system, user = texts
        role = self.settings.system_role
        if self._instruction:
            # Where there is a system message it is the same for each row, and so may be cached.
            system, user = (
                ([f"{system[0]}\n\n{self._instruction}"], user) if system else ([], f"{user}\n\n{self._instruction}")
            )
        if system and role == "user":
            system, user = [], f"{system[0]}\n\n{user}"
        messages = [{"role": role, "content": text} for text in system] + [{"role": "user", "content": user}]
        body: Body = {"messages": messages}
        return body if self._format is None else {**body, "response_format": self._format}


def _answers(settings: TemplateSettings) -> Answers:
    if settings.json_schema is not None:
        return Structured(settings.json_schema)
    columns = settings.columns or ("answer",)
    return WholeText(columns[0]) if settings.separator is None else Separated(columns, settings.separator)


def _template(text: str) -> Template:
    # Imported here, so that Jinja is loaded with the first prompt and not with the plugin.
    from .rendering import Template

    return Template(text)
