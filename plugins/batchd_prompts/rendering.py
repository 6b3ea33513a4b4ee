"""A prompt's text with places for the row's cells, compiled once and filled for each row.

Most prompts are text and `{{ column }}`, so these are filled without Jinja, forty times as fast. What is
plain is decided by Jinja's own parser, so white space control, comments and newlines mean the same either way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from jinja2 import StrictUndefined, TemplateSyntaxError, nodes
from jinja2.meta import find_undeclared_variables
from jinja2.sandbox import ImmutableSandboxedEnvironment

from batchd import Failure, Row

from .json_text import BROKEN_TEXT, shown

WHOLE_ROW = "row"
"""The name under which a template sees all of the row, for columns whose names are not words."""

# Prompts are not HTML. Everything else that a template could reach beside the row is taken away below.
_environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, finalize=shown, autoescape=False)
# Jinja's functions (`range`, `dict`, ...) have the names of perfectly good columns.
_environment.globals.clear()


@dataclass(frozen=True, slots=True)
class Cell:
    """The place of a column's value in a text."""

    column: str


Piece: TypeAlias = "str | Cell"


class Template:
    """One text. ValueError, in a sentence, if it cannot be understood."""

    def __init__(self, source: str) -> None:
        try:
            tree = _environment.parse(source)
            _refuse_what_is_not_offered(tree)
            self._template = _environment.from_string(source)
        except TemplateSyntaxError as error:
            raise ValueError(_in_words(error)) from None
        self.needs: tuple[str, ...] = tuple(sorted(_needed(tree)))
        """The columns without which it cannot be filled."""
        self.pieces: tuple[Piece, ...] | None = _plain_pieces(tree)
        """The text and the cells it is made of, if it is plain; else None."""

    def render(self, row: Row) -> str | Failure:
        """The text for this row."""
        missing = self.missing(row.columns)
        if missing is not None:
            return missing
        try:
            if self.pieces is None:
                return self.render_with_jinja(row)
            return "".join(piece if isinstance(piece, str) else shown(row[piece.column]) for piece in self.pieces)
        except UnicodeEncodeError:
            return BROKEN_TEXT
        except Exception as error:  # noqa: BLE001  # whatever a template makes of a row, it is that row's trouble
            return self._unwritable(error)

    def render_with_jinja(self, row: Row) -> str:
        """The text for this row by Jinja, plain or not. Raises whatever the template raises."""
        # An empty cell of a table is empty text, so a missing value of other files is as well; else a filter
        # such as `upper` would ask the model about NONE.
        values = {column: "" if value is None else value for column, value in row.as_dict().items()}
        return self._template.render({**values, WHOLE_ROW: values})

    def missing(self, columns: Iterable[str]) -> Failure | None:
        """Why a row with these columns cannot be asked about, None if it can."""
        there = set(columns)
        for column in self.needs:
            if column not in there:
                return Failure("template", f"The prompt asks about the column “{column}”, which the row does not have.")
        return None

    def _unwritable(self, error: Exception) -> Failure:
        columns = ", ".join(f"“{column}”" for column in self.needs)
        place = f"column{'' if len(self.needs) == 1 else 's'} {columns}" if columns else "cells"
        reason = str(error).rstrip(".") or type(error).__name__
        return Failure("template", f"The prompt could not be written from this row's {place}: {reason}.")


def _in_words(error: TemplateSyntaxError) -> str:
    said = f"Line {error.lineno} of the template is not understood: {str(error.message).rstrip('.')}."
    if "end of print statement" in said:
        said += ' A column whose name is not one word is written {{ row["the name"] }}.'
    return said


def _refuse_what_is_not_offered(tree: nodes.Template) -> None:
    for other in tree.find_all((nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)):
        raise ValueError(f"Line {other.lineno} of the template refers to another template, which a prompt cannot do.")
    unknown = find_undeclared_variables(tree)
    for call in tree.find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name in unknown:
            raise ValueError(
                f"Line {call.lineno} of the template calls {call.node.name}(), but a prompt has only the row's columns "
                "and Jinja's filters, no functions."
            )
    for name in tree.find_all(nodes.Name):
        if name.name == "self":
            raise ValueError(
                f"Line {name.lineno} of the template says self, which is Jinja's own word. "
                'The column of that name is written {{ row["self"] }}.'
            )


def _needed(tree: nodes.Template) -> set[str]:
    """The columns that are used, but for those about which the template asks whether they are there."""
    unless_there = set(_asked_about(tree))
    named = find_undeclared_variables(tree) - {WHOLE_ROW}
    return (named | {column for _, column in _subscripts(tree)}) - unless_there


def _asked_about(tree: nodes.Template) -> Iterator[str]:
    for question in tree.find_all((nodes.Test, nodes.Filter)):
        if question.name in ("defined", "undefined", "default", "d"):
            subject = question.node
            if isinstance(subject, nodes.Name):
                yield subject.name
            else:
                yield from (column for node, column in _subscripts(tree) if node is subject)


def _subscripts(tree: nodes.Template) -> Iterator[tuple[nodes.Expr, str]]:
    """Where the template says `row["column"]` or `row.column`."""
    for item in tree.find_all(nodes.Getitem):
        column = _subscript(item)
        if column is not None:
            yield item, column
    for attribute in tree.find_all(nodes.Getattr):
        # `row.items()` is the dict's, not a column's.
        if _is_row(attribute.node) and not hasattr(dict, attribute.attr):
            yield attribute, attribute.attr


def _subscript(item: nodes.Getitem) -> str | None:
    if _is_row(item.node) and isinstance(item.arg, nodes.Const) and isinstance(item.arg.value, str):
        return item.arg.value
    return None


def _is_row(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Name) and node.name == WHOLE_ROW


def _plain_pieces(tree: nodes.Template) -> tuple[Piece, ...] | None:
    pieces: list[Piece] = []
    for output in tree.body:
        if not isinstance(output, nodes.Output):
            return None
        for node in output.nodes:
            if isinstance(node, nodes.TemplateData):
                pieces.append(node.data)
            elif isinstance(node, nodes.Name) and node.name != WHOLE_ROW:
                pieces.append(Cell(node.name))
            elif isinstance(node, nodes.Getitem) and (column := _subscript(node)) is not None:
                pieces.append(Cell(column))
            else:
                return None
    return tuple(pieces)
