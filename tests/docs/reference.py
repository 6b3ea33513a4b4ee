"""Pages of the docs site that are made from the code: the help of each command, the HTTP API, and what Python imports."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

import click

import batchd
import batchd.client
from batchd.cli.call import Call
from batchd.cli.main import batchd as command_line
from batchd.web.application import ROUTES
from batchd.web.openapi import document

MADE = "This page is made from the code of batchd."


def pages() -> Mapping[str, str]:
    """The text of each page, by its name."""
    return {
        "reference/help.md": help_page(),
        "reference/http.md": http_page(),
        "reference/client.md": python_page(
            batchd.client, "Python: batchd.client", "[Use it from Python](../client.md) shows how to use them."
        ),
        "reference/plugins.md": python_page(
            batchd, "Python: for plugins", "[Write a plugin](../plugins.md) shows how to use them."
        ),
    }


# --- commands ------------------------------------------------------------------------------------------------------


def help_page() -> str:
    """What `--help` says, of every command."""
    context = click.Context(command_line, info_name="batchd", obj=Call(), max_content_width=100, terminal_width=100)
    parts = [f"# Help of every command\n\n{MADE} [Commands](../commands.md) says more.\n"]
    parts += (f"## {path}\n\n```text\n{text}\n```\n" for path, text in _helps(command_line, context))
    return "\n".join(parts)


def _helps(command: click.Command, context: click.Context) -> Iterator[tuple[str, str]]:
    yield context.command_path, command.get_help(context)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None and not inner.hidden:
                yield from _helps(inner, click.Context(inner, info_name=name, parent=context, max_content_width=100))


# --- HTTP ----------------------------------------------------------------------------------------------------------


def http_page() -> str:
    """Every route of the JSON API."""
    described = document(ROUTES)
    lines = [
        "# HTTP\n",
        f"{MADE} A daemon gives the same as OpenAPI at `/api/v1/openapi.json`. [The page](../web.md) says who gets in.\n",
    ]
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            lines.append(f"## {method.upper()} {path}\n\n{_cell(operation['description'])}\n")
            if operation["parameters"]:
                lines.append("| parameter | in | |\n| --- | --- | --- |")
                lines += [
                    f"| `{each['name']}` | {each['in']} | {_cell(each.get('description', ''))} |"
                    for each in operation["parameters"]
                ]
                lines.append("")
            if body := operation.get("requestBody"):
                lines.append(f"Body: `{'`, `'.join(body['content'])}`.\n")
            told = {status for status in operation["responses"] if status != "default"}
            kinds = {kind for status in told for kind in operation["responses"][status]["content"]}
            lines.append(f"Answers: {', '.join(sorted(told))}, `{'`, `'.join(sorted(kinds))}`.\n")
    return "\n".join(lines)


# --- Python --------------------------------------------------------------------------------------------------------


def python_page(module: ModuleType, title: str, beside: str) -> str:
    """Each public name of a module, with its signature and its words."""
    names = getattr(module, "__all__", None) or [name for name in vars(module) if name[0].isupper()]
    lines = [f"# {title}\n", f"{MADE} {beside}\n"]
    for name in sorted(names, key=str.lower):
        found = getattr(module, name)
        lines.append(f"## {name}\n")
        if inspect.isclass(found):
            lines += _of_class(name, found)
        elif callable(found) and inspect.isfunction(found):
            lines.append(_signature(name, found))
            lines.append(_words(found))
        else:
            lines.append(f"```python\n{name} = {_short(found)}\n```\n")
    return "\n".join(lines)


def _of_class(name: str, found: type[Any]) -> Iterator[str]:
    bases = [base.__name__ for base in found.__bases__ if base is not object and not base.__name__.endswith("Handle")]
    above = f"({', '.join(bases)})" if bases else ""
    yield f"```python\nclass {name}{above}\n```\n"
    yield _words(found)
    if hints := {key: each for key, each in inspect.get_annotations(found).items() if not key.startswith("_")}:
        yield "| field | type |\n| --- | --- |"
        yield from (f"| `{key}` | `{str(each).replace(' | ', ' or ')}` |" for key, each in hints.items())
        yield ""
    # What both clients have in common stands in classes that nobody imports.
    handles = [base for base in found.__mro__ if base.__module__ == "batchd.client.core"]
    for key, member in {key: each for home in (*handles, found) for key, each in vars(home).items()}.items():
        if key.startswith("_") or key in hints:
            continue
        if isinstance(member, property):
            yield f"### {name}.{key}\n"
            yield _words(member)
        elif isinstance(member, staticmethod | classmethod) or inspect.isfunction(member):
            function = member.__func__ if isinstance(member, staticmethod | classmethod) else member
            yield f"### {name}.{key}\n"
            yield _signature(key, function)
            yield _words(function)


def _signature(name: str, function: Any) -> str:
    start = "async def" if inspect.iscoroutinefunction(function) else "def"
    found = inspect.signature(function)
    parameters = [each.replace(annotation=_AsWritten.of(each.annotation)) for each in found.parameters.values()]
    plain = found.replace(parameters=parameters, return_annotation=_AsWritten.of(found.return_annotation))
    return f"```python\n{start} {name}{plain}\n```\n"


class _AsWritten:
    """An annotation that shows itself as it stands in the source."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text

    @classmethod
    def of(cls, annotation: object) -> object:
        return cls(annotation) if isinstance(annotation, str) else annotation


def _words(found: object) -> str:
    """Its docstring: paragraphs as they are, what is indented as code."""
    text = inspect.getdoc(found) or ""
    return f"{re.sub(r'<(?=[a-zA-Z/])', '&lt;', text)}\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) < 200 else f"{text[:200]}…"
