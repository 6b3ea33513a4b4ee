"""The prompt table of a `template`: its keys, and which of them exclude each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from batchd import FromFile, Json, Settings

from .answers import Answers, JsonText, Matched, Separated, Structured, WholeText
from .examples import checked_examples, read_examples
from .json_answers import JsonReader
from .schema import checked_schema

if TYPE_CHECKING:
    from .rendering import Template


def template(text: str) -> Template:
    """The compiled template. Raises ValueError with a sentence if it is not valid."""
    # Imported here, so that Jinja is loaded with the first prompt and not with the plugin.
    from .rendering import Template

    return Template(text)


def _understood(text: str) -> str:
    template(text)
    return text


TemplateText = Annotated[str, AfterValidator(_understood)]
"""The text of a template, which is checked."""


class MessageSettings(Settings):
    """A message of a conversation; its text is a template."""

    role: Literal["system", "developer", "user", "assistant"]
    content: TemplateText


def _asks(text: str) -> str:
    if not text.strip():
        raise ValueError('The prompt is empty. Write a question about each row, such as "Review: {{ review }}".')
    return text


def _different(columns: tuple[str, ...]) -> tuple[str, ...]:
    if not columns:
        raise ValueError("The list of columns is empty. Name the columns, or leave the list out.")
    if not all(name.strip() for name in columns):
        raise ValueError("One of the columns has an empty name.")
    duplicate = next((name for name in columns if columns.count(name) > 1), None)
    if duplicate is not None:
        raise ValueError(f"The column “{duplicate}” is listed twice.")
    return columns


def _of_an_object(schema: dict[str, Json]) -> dict[str, Json]:
    checked_schema(schema)
    JsonReader(schema)
    return schema


def _with_groups(pattern: str) -> str:
    Matched(pattern)
    return pattern


def _ending_with_the_question(messages: tuple[MessageSettings, ...]) -> tuple[MessageSettings, ...]:
    if not messages or messages[-1].role != "user":
        raise ValueError('The last of the messages must be the question, with the role "user".')
    return messages


Columns = Annotated[tuple[str, ...], AfterValidator(_different)]


class TemplateSettings(Settings):
    """The prompt table of a route."""

    model_config = ConfigDict(serialize_by_alias=True)

    system: TemplateText | None = None
    """The system message, a template like `user`."""
    user: Annotated[TemplateText, AfterValidator(_asks)] | None = None
    """The question about each row, in Jinja2: `{{ column }}` or `{{ row["Any name"] }}` is a cell."""
    input: Columns | None = None
    """In place of `user`: the columns whose cells are the question, joined."""
    input_separator: str = "\n"
    """What stands between the cells of `input`."""
    messages: Annotated[tuple[MessageSettings, ...], AfterValidator(_ending_with_the_question)] | None = None
    """In place of `user` and `system`: several messages, of which the last one is the question."""
    examples: Annotated[tuple[dict[str, Json], ...], FromFile(read_examples)] = ()
    """Rows with their answers, shown to the model before the question: the name of a file, or tables."""
    images: Columns | None = None
    """The columns whose cells are pictures: addresses on the web, or names of files in the route's `files`."""
    image_detail: Literal["auto", "low", "high"] | None = None
    """How closely the model looks at the pictures, for services that know it."""
    columns: Columns | None = None
    """The columns that the answer fills; by default only `answer`."""
    separator: str | None = None
    """The text between the pieces of an answer with more than one column."""
    json_schema: Annotated[dict[str, Json], AfterValidator(_of_an_object)] | None = Field(default=None, alias="schema")
    """A JSON Schema, requested as structured output; its properties become the columns."""
    regex: Annotated[str, AfterValidator(_with_groups)] | None = None
    """A regular expression that is searched in the answer; its named groups become the columns."""
    json_answer: bool = Field(default=False, alias="json")
    """Whether the answer is JSON of any form: kept in one column, or the keys of an object in several."""
    keep_thinking: bool = False
    """Whether the model's thinking at the front of an answer, such as `<think>…</think>`, is part of the answer."""
    keep_answer: str | None = None
    """An additional column for the answer as it came, even if it could not be read and the row fails."""
    schema_mode: Literal["strict", "json_object", "prompt"] = "strict"
    """How the schema is asked for: as strict structured output; as JSON, with the schema in the prompt; or in the
    prompt alone, for services that refuse both."""
    system_role: Literal["system", "developer", "user"] = "system"
    """The role of the system message. With `user` it stands before the question, in one message."""

    @model_validator(mode="after")
    def _one_question(self) -> TemplateSettings:
        written = [name for name in ("user", "input", "messages") if getattr(self, name) is not None]
        if not written:
            raise ValueError(
                'There is no question. Write user = "Review: {{ review }}" with a column of your files, or name the '
                'columns whose cells are the question: input = ["review"].'
            )
        if len(written) > 1:
            raise ValueError(f"There are both {written[0]} and {written[1]}. Each is the question: remove one of them.")
        if self.messages is not None and self.system is not None:
            raise ValueError("There are both system and messages. Write the system message as the first of messages.")
        return self

    @model_validator(mode="after")
    def _one_form(self) -> TemplateSettings:
        if self.image_detail is not None and self.images is None:
            raise ValueError("There is an image_detail, but no images. Remove it, or name the columns of the pictures.")
        if self.json_schema is None and self.schema_mode != "strict":
            raise ValueError("There is a schema_mode, but no schema. Remove it, or write the schema.")
        if self.system is None and self.system_role != "system":
            raise ValueError("There is a system_role, but no system message. Remove it, or write the message.")
        if self.json_schema is not None and self.separator is not None:
            raise ValueError("There are both a separator and a schema. Remove one of them.")
        forms = {"schema": self.json_schema, "regex": self.regex, "json": self.json_answer or None}
        forms |= {"separator": self.separator}
        written = [name for name, value in forms.items() if value is not None]
        if len(written) > 1:
            raise ValueError(
                f"There are both {written[0]} and {written[1]}. An answer has one form: remove one of them."
            )
        self._fitting_columns()
        if self.keep_answer is not None:
            if not self.keep_answer.strip():
                raise ValueError("The name in keep_answer is empty. Write the name of the column for the whole answer.")
            if self.keep_answer in self.answers().columns:
                raise ValueError(f"keep_answer is “{self.keep_answer}”, which is a column already. Write another name.")
        checked_examples(self)
        return self

    def _fitting_columns(self) -> None:
        columns, separator = self.columns, self.separator
        if self.json_schema is not None:
            if columns is not None:
                raise ValueError("The columns are the properties of the schema. Remove columns, or the schema.")
        elif self.regex is not None:
            if columns is not None:
                raise ValueError("The columns are the named groups of the regex. Remove columns, or the regex.")
        elif separator == "":
            raise ValueError('The separator is empty. Write the text between the pieces, such as "|".')
        elif separator is not None and (columns is None or len(columns) == 1):
            raise ValueError(
                "A separator needs two columns or more. List them in columns, or remove the separator: the answer is "
                "then one column."
            )
        elif columns is not None and len(columns) > 1 and separator is None and not self.json_answer:
            raise ValueError(
                f"An answer for {len(columns)} columns must be split into pieces. Set the separator that the prompt "
                'asks for, such as "|", or a schema, a regex, or json = true.'
            )

    def answers(self) -> Answers:
        """How answers are read."""
        columns = self.columns or ("answer",)
        if self.json_schema is not None:
            return Structured(self.json_schema)
        if self.regex is not None:
            return Matched(self.regex)
        if self.json_answer:
            return JsonText(columns)
        return WholeText(columns[0]) if self.separator is None else Separated(columns, self.separator)

    def templates(self) -> list[tuple[str, Template]]:
        """The messages, each with its role; the last one is the question."""
        if self.messages is not None:
            return [(each.role, template(each.content)) for each in self.messages]
        system = [(self.system_role, template(self.system))] if self.system is not None else []
        if self.input is not None:
            return [*system, ("user", joined(self.input, self.input_separator))]
        return [*system, ("user", template(self.user or ""))]


def joined(columns: Sequence[str], separator: str) -> Template:
    """Return a Template that joins the cells of these columns, with a separator between them."""
    from .rendering import Template

    return Template.joining(columns, separator)
