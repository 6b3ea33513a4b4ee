"""The configuration that `batchd init --service` writes: a provider, a route, and a question from the columns."""

from __future__ import annotations

import csv
import importlib.resources
import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..domain.words import show_key
from ..errors import ConfigError

if TYPE_CHECKING:
    from ..config.service_table import ServiceTable

ROUTE = "rows"
# Words of the template language, and `row`, which is the whole row.
_TAKEN = frozenset({"and", "else", "false", "if", "in", "is", "none", "not", "or", "row", "true"})
_PLAIN = re.compile(r"[a-z_][a-z0-9_]*", re.IGNORECASE)
_FOLDERS = "[folders]\n"
_SERVICES = "# The services, as many as you like"


def columns_of(text: str) -> list[str]:
    """The columns in `a,b,"c, d"`. Raises ConfigError if there is none."""
    columns = [name.strip() for name in next(csv.reader([text], skipinitialspace=True), []) if name.strip()]
    if not columns:
        raise ConfigError("--columns names no column. Write those of your files: --columns title,review")
    return list(dict.fromkeys(columns))


def written(name: str, service: ServiceTable, model: str, columns: Sequence[str]) -> str:
    """The whole configuration. It says where the key is read, and holds no secret."""
    packaged = importlib.resources.files("batchd").joinpath("config.toml").read_text("utf-8")
    common = packaged[packaged.index(_FOLDERS) : packaged.index(_SERVICES)]
    return f"{_head(service, columns)}\n{common}{tables(name, service, model, columns)}"


def tables(name: str, service: ServiceTable, model: str, columns: Sequence[str]) -> str:
    lines = [
        f"# {service.title}. `batchd services {name}` shows what comes with it; a key that is written here wins.",
        f"[{show_key(('providers', name))}]",
        f"service = {_text(name)}",
    ]
    lines += [f"{key} = {_text(example)}  # write yours" for key, example in service.needed.items()]
    address = str(service.provider.get("base_url", ""))
    if "//localhost" in address:
        lines += [f"base_url = {_text(address)}  # where it runs"]
    key = service.provider.get("api_key")
    if isinstance(key, str):
        why = "  # it asks for no key; if yours does, env:NAME" if key == "none" else _WHERE
        lines += [f"api_key = {_text(key)}{why}"]
    lines += [
        "",
        "# Which files, which question, which model. A pattern without a slash is for the file's name alone.",
        f"[routes.{ROUTE}]",
        f'match = ["{ROUTE}/**", "*.csv", "*.tsv", "*.jsonl", "*.xlsx"]',
        f"provider = {_text(name)}",
        f"model = {_text(model)}",
        'sinks = ["same"]                  # results in the form of the dropped file; or csv, jsonl, xlsx, parquet',
    ]
    if service.endpoints and "/v1/chat/completions" not in service.endpoints:
        lines += [f"endpoint = {_text(service.endpoints[0])}"]
    lines += [
        "# params = { max_tokens = 200 }   # sent with every request; a bound on answers is a bound on their cost",
        "",
        "# The question about each row. {{ name }} is a column of the dropped file.",
        f"[routes.{ROUTE}.prompt]",
        'plugin = "template"',
        '# system = "What to do with each row, and how to answer."',
        f"user = {_lines(question(columns))}",
        '# columns = ["answer"]            # the columns that the answer fills',
    ]
    return "\n".join(lines) + "\n"


_WHERE = '  # where the key is read: or "file:/path/to/key", or "credential:NAME" under systemd'


def question(columns: Sequence[str]) -> str:
    """A line for each column: `review: {{ review }}`."""
    return "\n".join(f"{_said(name)}: {_cell(name)}" for name in columns)


def _said(name: str) -> str:
    # A name with braces is written as a string of the template language.
    return f"{{{{ {json.dumps(name, ensure_ascii=False)} }}}}" if "{" in name else name


def _cell(name: str) -> str:
    if _PLAIN.fullmatch(name) and name.lower() not in _TAKEN:
        return f"{{{{ {name} }}}}"
    return f"{{{{ row[{json.dumps(name, ensure_ascii=False)}] }}}}"


def _head(service: ServiceTable, columns: Sequence[str]) -> str:
    kind, _, variable = str(service.provider.get("api_key", "")).partition(":")
    steps = [f"put your key there       export {variable}=..."] if kind == "env" else []
    steps += [
        "write the question       [routes.rows.prompt] below",
        "check the configuration  batchd check",
        f"start it                 batchd run, then drop a file with {', '.join(columns)} into inbox/{ROUTE}/",
    ]
    lines = [f"# batchd, with {service.title}: drop a file of rows into a folder, get it back with the answers.", "#"]
    lines += [f"#  {number}. {clean_line(step)}" for number, step in enumerate(steps, start=1)]
    lines += [
        "#",
        "# All keys: docs/configuration.md, or `batchd init` without --service. An unknown key is an error.",
        "",
    ]
    return "\n".join(lines)


def clean_line(text: str) -> str:
    """Replace line breaks and control characters, which would end a comment, with spaces."""
    return "".join(sign if sign.isprintable() else " " for sign in text)


def _lines(value: str) -> str:
    """The text as a TOML string: over several lines if TOML allows that for this text."""
    plain = "'''" not in value and not value.endswith("'") and value.replace("\n", "").isprintable()
    return f"'''\n{value}'''" if plain else _text(value)


def _text(value: str) -> str:
    # A JSON string is a TOML string, except that TOML wants DEL escaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
