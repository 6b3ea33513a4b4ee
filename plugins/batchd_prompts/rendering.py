"""A template for a prompt, compiled once and filled with the cells of each row.

Most templates are text and `{{ column }}`. These plain ones are filled without Jinja, forty times as fast. Jinja's
own parser decides which are plain, so white space control, comments and newlines mean the same in both cases.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self, TypeAlias

from jinja2 import StrictUndefined, TemplateSyntaxError, nodes
from jinja2 import Template as JinjaTemplate
from jinja2.meta import find_undeclared_variables
from jinja2.sandbox import ImmutableSandboxedEnvironment

from batchd import Failure, Row

from .json_text import BROKEN_TEXT, shown

WHOLE_ROW = "row"
"""The name of the whole row in a template, for columns whose names are not identifiers."""

# No autoescape: prompts are not HTML. The globals are removed below, so that a template sees only the row.
_environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, finalize=shown, autoescape=False)
# Jinja's functions (`range`, `dict`, ...) would hide columns of the same name.
_environment.globals.clear()


@dataclass(frozen=True, slots=True)
class Cell:
    """The position of a column's value in a text."""

    column: str


Piece: TypeAlias = "str | Cell"


class Template:
    """One compiled template. Raises ValueError with a sentence if it is not valid."""

    def __init__(self, source: str) -> None:
        try:
            tree = _environment.parse(source)
            _refuse_unsupported(tree)
            self._template: JinjaTemplate | None = _environment.from_string(source)
        except TemplateSyntaxError as error:
            raise ValueError(_explained(error)) from None
        used = find_undeclared_variables(tree) - {WHOLE_ROW} | {column for _, column in _subscripts(tree)}
        self.needs: tuple[str, ...] = tuple(sorted(used - set(_optional(tree))))
        """The columns that a row must have: not those that it tests with `is defined` or `default`."""
        self.uses: tuple[str, ...] | None = None if _uses_whole_row(tree) else tuple(sorted(used))
        """The columns that it uses, including those that a row need not have; None for all of them."""
        self.pieces: tuple[Piece, ...] | None = _plain_pieces(tree)
        """Its texts and cells if it is plain, else None."""

    @classmethod
    def joining(cls, columns: Sequence[str], separator: str) -> Self:
        """Return a Template without source text: the cells of these columns, with a separator between them."""
        joined = cls.__new__(cls)
        joined._template = None  # noqa: SLF001  # its own, which no __init__ has set
        joined.needs = joined.uses = tuple(columns)
        pieces: list[Piece] = []
        for column in columns:
            pieces += [separator, Cell(column)]
        joined.pieces = tuple(pieces[1:])
        return joined

    def render(self, row: Row) -> str | Failure:
        """The text for this row."""
        missing = self.missing(row.columns)
        if missing is not None:
            return missing
        try:
            if self.pieces is None:
                return self.render_with_jinja(row)
            return self.filled(lambda column: shown(row[column]))
        except UnicodeEncodeError:
            return BROKEN_TEXT
        except Exception as error:  # noqa: BLE001  # any error of a template fails only its row
            return self._failure(error)

    def filled(self, cell: Callable[[str], str]) -> str:
        """The text of a plain template, with what `cell` gives for each column."""
        return "".join(piece if isinstance(piece, str) else cell(piece.column) for piece in self.pieces or ())

    def render_with_jinja(self, row: Row) -> str:
        """The text for this row, rendered by Jinja even if plain. Errors of the template pass through."""
        # A missing value is empty text, like an empty cell of a table. Otherwise `None|upper` would become NONE.
        values = {column: "" if value is None else value for column, value in row.as_dict().items()}
        assert self._template is not None, "what only joins cells is plain"
        return self._template.render({**values, WHOLE_ROW: values})

    def missing(self, columns: Iterable[str]) -> Failure | None:
        """Why the template cannot be filled from these columns; None if it can."""
        present = set(columns)
        for column in self.needs:
            if column not in present:
                return Failure("template", f"The prompt asks about the column “{column}”, which the row does not have.")
        return None

    def _failure(self, error: Exception) -> Failure:
        columns = ", ".join(f"“{column}”" for column in self.needs)
        source = f"column{'' if len(self.needs) == 1 else 's'} {columns}" if columns else "cells"
        reason = str(error).rstrip(".") or type(error).__name__
        return Failure("template", f"The prompt could not be written from this row's {source}: {reason}.")


def _explained(error: TemplateSyntaxError) -> str:
    message = f"Line {error.lineno} of the template is not understood: {str(error.message).rstrip('.')}."
    if "end of print statement" in message:
        message += ' A column whose name is not one word is written {{ row["the name"] }}.'
    return message


def _refuse_unsupported(tree: nodes.Template) -> None:
    for other in tree.find_all((nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)):
        raise ValueError(f"Line {other.lineno} of the template refers to another template, which a prompt cannot do.")
    undeclared = find_undeclared_variables(tree)
    for call in tree.find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name in undeclared:
            raise ValueError(
                f"Line {call.lineno} of the template calls {call.node.name}(), but a prompt has only the row's columns "
                "and Jinja's filters, no functions."
            )
    for name in tree.find_all(nodes.Name):
        if name.name == "self":
            raise ValueError(
                f"Line {name.lineno} of the template uses self, which is a word of Jinja. "
                'A column of that name is written {{ row["self"] }}.'
            )


def _uses_whole_row(tree: nodes.Template) -> bool:
    """Whether the template uses the row for more than a single column, as in `row|tojson`."""
    single = {id(item.node) for item, _ in _subscripts(tree) if isinstance(item, nodes.Getitem | nodes.Getattr)}
    return any(_is_row(name) and id(name) not in single for name in tree.find_all(nodes.Name))


def _optional(tree: nodes.Template) -> Iterator[str]:
    for test in tree.find_all((nodes.Test, nodes.Filter)):
        if test.name in ("defined", "undefined", "default", "d"):
            subject = test.node
            if isinstance(subject, nodes.Name):
                yield subject.name
            else:
                yield from (column for node, column in _subscripts(tree) if node is subject)


def _subscripts(tree: nodes.Template) -> Iterator[tuple[nodes.Expr, str]]:
    """Each `row["column"]` and `row.column` in the template."""
    for item in tree.find_all(nodes.Getitem):
        column = _subscript(item)
        if column is not None:
            yield item, column
    for attribute in tree.find_all(nodes.Getattr):
        # `row.items` is a method of dict, not a column.
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
