"""The prompt builder `template`: a text filled with the row's cells, and an answer read into columns."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from batchd import Body, Failure, Json, PromptBuilder, Response, Row, without_thinking

from .answers import read_answer
from .examples import checked_examples
from .json_text import BROKEN_TEXT, is_broken
from .schema import in_words, response_format
from .template_settings import TemplateSettings as TemplateSettings

_INSTRUCTIONS = ("system", "developer")
_ADDRESS = re.compile(r"https?://[^\s/]\S*|data:image/\S+", re.IGNORECASE)
_OTHER = re.compile(r"[a-z][a-z0-9+.-]+:", re.IGNORECASE)


class TemplateBuilder(PromptBuilder[TemplateSettings]):
    """Builds chat requests (`messages`) from the templates in its settings."""

    Settings = TemplateSettings
    endpoints = ("/v1/chat/completions",)

    def __init__(self, settings: TemplateSettings) -> None:
        super().__init__(settings)
        messages = settings.templates()
        self._roles = [role for role, _ in messages]
        self._templates = [template for _, template in messages]
        self._examples = checked_examples(settings)
        self._answers = settings.answers()
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
        columns = (column for template in self._templates for column in template.needs)
        return tuple(dict.fromkeys((*columns, *(self.settings.images or ()))))

    def uses(self) -> Iterable[str] | None:
        """The columns in the templates and of the pictures; None if a template is about the whole row."""
        used = [template.uses for template in self._templates]
        if any(each is None for each in used):
            return None
        return {*(column for each in used for column in each or ()), *(self.settings.images or ())}

    def build(self, row: Row) -> Body | Failure:
        texts = []
        for template in self._templates:
            text = template.render(row)
            if isinstance(text, Failure):
                return text
            if is_broken(text):
                return BROKEN_TEXT
            texts.append(text)
        body = self._body(texts)
        return body if self.settings.images is None else _with_images(body, row, self.settings)

    def encode(self, rows: Iterable[Row], common: Body) -> Iterator[bytes | Failure]:
        if self.settings.images is not None:
            return super().encode(rows, common)
        from .request_lines import encode_requests

        return encode_requests(rows, self._templates, self._body, common)

    def pattern(self, cell: Callable[[str], str]) -> Body | None:
        """Return None for templates that only Jinja can fill, and for pictures."""
        if self.settings.images is not None or any(template.pieces is None for template in self._templates):
            return None
        return self._body([template.filled(cell) for template in self._templates])

    def parse(self, response: Response) -> Mapping[str, Json] | Failure:
        read = read_answer(response, self._answers, keep_thinking=self.settings.keep_thinking)
        kept = self.settings.keep_answer
        if kept is None:
            return read
        whole = {kept: response.text or ""}
        return replace(read, answer=whole) if isinstance(read, Failure) else {**read, **whole}

    def parse_many(self, texts: Iterable[str]) -> Iterator[list[Json] | None]:
        thinking, cells = self.settings.keep_thinking, self._answers.cells
        kept = self.settings.keep_answer
        for text in texts:
            answer = text if thinking else without_thinking(text)
            # For an answer without any text, `parse` says what is wrong.
            values = cells(answer) if answer and not answer.isspace() else None
            yield values if kept is None or values is None else [*values, text]

    def _body(self, texts: Sequence[str]) -> Body:
        said: list[Body] = [{"role": role, "content": text} for role, text in zip(self._roles, texts, strict=True)]
        if self._instruction:
            # In the system message, if there is one: that is the same for each row, and so may be cached.
            place = next((each for each in said if each["role"] in _INSTRUCTIONS), said[-1])
            if self.settings.system is not None:
                place = said[0]
            place["content"] = f"{place['content']}\n\n{self._instruction}"
        messages = [*said[:-1], *self._examples, said[-1]]
        if self.settings.system_role == "user" and self.settings.system is not None:
            system, first, *rest = messages
            messages = [{"role": "user", "content": f"{system['content']}\n\n{first['content']}"}, *rest]
        body: Body = {"messages": messages}
        return body if self._format is None else {**body, "response_format": self._format}


def _with_images(body: Body, row: Row, settings: TemplateSettings) -> Body | Failure:
    """The body with the row's pictures behind the question. An empty cell is no picture."""
    pieces: list[Body] = []
    for column in settings.images or ():
        if column not in row.columns:
            return Failure("template", f"The prompt shows the column “{column}”, which the row does not have.")
        cell = row[column]
        name = cell.strip() if isinstance(cell, str) else "" if cell is None else str(cell)
        if not name:
            continue
        if is_broken(name):
            return BROKEN_TEXT
        if not _ADDRESS.fullmatch(name):
            if _OTHER.match(name):
                return Failure(
                    "picture",
                    f"The column “{column}” holds {name[:200]!r}, which is neither an address with https:// nor the "
                    "name of a file. Correct that cell and drop the row again.",
                )
            name = f"file:{name}"
        detail = {} if settings.image_detail is None else {"detail": settings.image_detail}
        pieces.append({"type": "image_url", "image_url": {"url": name, **detail}})
    if not pieces:
        return body
    *before, last = body["messages"]
    text = [{"type": "text", "text": last["content"]}] if last["content"].strip() else []
    return {**body, "messages": [*before, {**last, "content": [*text, *pieces]}]}
