"""Routes: checks the tables `[routes.NAME]` and their chains, and builds the Route values of the domain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from itertools import pairwise
from typing import Any

from ..domain.chains import fault_of, later_steps
from ..domain.questions import NAME as QUESTION
from ..domain.questions import PLACEHOLDER
from ..domain.routing import PluginSpec, Route
from ..domain.words import Keys, proposal
from ..files import Rights
from ..plugin.catalogue import Role
from ..plugin.validation import check
from ..values import replace
from .checking.checks import check_json
from .locations import resolved
from .plugin_tables import PluginTables
from .problems import Problems
from .tables import RouteTable, SinkTable

VECTORS_OF_PART, FILES_OF_PART = 500, 100
"""Rows of a part, unless the route says otherwise: for vectors, because they are long and all results of a part are in
memory; for pictures, because a part must fit into a batch."""


def read_route(
    name: str,
    written: Mapping[str, Any],
    *,
    providers: Mapping[str, Any],
    sinks: dict[str, SinkTable],
    plugins: PluginTables,
) -> Route | None:
    """The route, None if its table has faults. Adds the built-in sinks that it names to `sinks`."""
    keys: Keys = ("routes", name)
    problems = plugins.problems
    table, faults = check(RouteTable, written)
    problems.add_faults(keys, faults)
    provider = written.get("provider")
    if isinstance(provider, str) and provider.strip() and provider not in providers:
        known = proposal(provider, providers)
        problems.add((*keys, "provider"), f"there is no table [providers.{provider}]{known}")
    params = written.get("params")
    check_json((*keys, "params"), params, problems)
    if isinstance(params, dict) and "model" in params:
        problems.add((*keys, "params", "model"), f"belongs to the table [routes.{name}] itself, not to its params")
    if isinstance(params, dict) and params.get("stream"):
        problems.add((*keys, "params", "stream"), "is not possible in a batch, and the service would refuse every row")
    if isinstance(params, dict) and params.get("n") not in (None, 1) and _reads_one_answer(written):
        problems.add(
            (*keys, "params", "n"),
            "asks, and pays, for more than one answer, and the prompt of the route reads one; leave n out. To get "
            "several answers for a row, drop the file to several routes, or send complete requests (passthrough)",
        )
    # The rest checks the written values, so that their faults are reported even if the table has others.
    patterns = [each for each in _list(written.get("match", [])) if isinstance(each, str)] or [f"{name}/**"]
    prompt = _prompt(keys, written, plugins, by_folder=table is not None and table.questions is not None)
    reader = plugins.asked(Role.READER, (*keys, "reader"), written.get("reader"))
    if reader is not None and not reader.kind:
        plugins.reader_by_suffix(reader, (*keys, "reader"), patterns)
    plugins.check_formats(keys, [each for each in _list(written.get("formats", [])) if isinstance(each, str)])
    named = [each for each in _list(written.get("sinks", ["csv"])) if isinstance(each, str)]
    _sinks(keys, named, sinks, plugins, _list(written.get("formats", [])))
    if table is None or prompt is None:
        return None
    if prompt.kind:
        plugins.check_prompt(prompt, table.endpoint, table.params, keys)
    part_rows = table.part_rows
    zipped = prompt.settings.get("images") and "zip" in [each.lower().lstrip(".") for each in table.formats or ()]
    if "part_rows" not in written and (table.files is not None or zipped):
        part_rows = FILES_OF_PART
    elif "part_rows" not in written and table.endpoint.endswith("/embeddings"):
        part_rows = VECTORS_OF_PART
    # Fields of the same name in the table and the route have the same value, except for those below.
    own = {each.name: getattr(table, each.name) for each in fields(Route) if each.name in RouteTable.model_fields}
    differing = {
        "match": tuple(patterns),
        "prompt": prompt,
        "sinks": tuple(table.sinks),
        "part_rows": part_rows,
        "files": None if table.files is None else str(resolved(table.files, problems.path)),
        "reader": reader,
        "formats": None if table.formats is None else tuple(table.formats),
        "pilot_spread": table.pilot_sample == "spread",
        "rights": Rights(table.group, table.mode) if table.group is not None or table.mode is not None else None,
    }
    return Route(name=name, **own | differing)


def chained(routes: Sequence[Route], tables: Mapping[str, Any], problems: Problems) -> list[Route]:
    """Return the routes; one with a chain but no sinks gets those of its last step. `tables` are as written."""
    written = {name: table for name, table in tables.items() if isinstance(table, dict)}
    then = {name: table["then"] for name, table in written.items() if isinstance(table.get("then"), str)}
    by_name = {route.name: route for route in routes}
    for name, following in then.items():
        keys = ("routes", name, "then")
        if following not in written:
            problems.add(keys, f"there is no table [routes.{following}]{proposal(following, written)}")
            continue
        if (fault := fault_of(name, then)) is not None:
            problems.add(keys, fault)
        if written[following].get("questions") is not None:
            because = 'whose questions = "folder": answers lie in no folder. Write its question there'
            problems.add(keys, f"leads to {following}, {because}")
    return [
        replace(route, sinks=later_steps(route.then, by_name)[-1].sinks)
        if route.then in by_name and "sinks" not in written[route.name]
        else route
        for route in routes
    ]


def _reads_one_answer(written: Mapping[str, Any]) -> bool:
    """Whether the columns come from one answer; for complete requests, `jsonl` delivers all answers."""
    prompt = written.get("prompt")
    return not (isinstance(prompt, dict) and prompt.get("plugin") == "passthrough")


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _prompt(keys: Keys, written: Mapping[str, Any], plugins: PluginTables, *, by_folder: bool) -> PluginSpec | None:
    table = (*keys, "prompt")
    asked = written.get("prompt")
    if by_folder and isinstance(asked, dict):
        if asked.get("plugin") != "template":
            plugins.problems.add((*table, "plugin"), 'must be "template" where questions = "folder"')
        for key in ("user", "input", "messages"):
            if key in asked:
                plugins.problems.add(
                    (*table, key),
                    f'cannot stand here: with questions = "folder", {QUESTION} holds the question. Take it out',
                )
        asked = {**asked, "user": PLACEHOLDER}
    prompt = plugins.asked(Role.PROMPT_BUILDER, table, asked)
    if prompt is not None and not prompt.kind:
        plugins.problems.add(
            (*table, "plugin"), 'is missing; write which kind of prompt it is, such as plugin = "template"'
        )
    return prompt


def _sinks(
    keys: Keys, names: list[str], sinks: dict[str, SinkTable], plugins: PluginTables, formats: list[object]
) -> None:
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            plugins.problems.add((*keys, "sinks"), f'names "{name}" more than once')
        if name not in sinks:
            table = plugins.built_in_sink(name, keys, sinks)
            if table is not None:
                sinks[name] = table
    if formats and "csv" not in formats:
        return
    # For a dropped CSV file, `same` writes a CSV file, too.
    tables = [name for name in dict.fromkeys(names) if name in sinks and sinks[name].plugin in {"csv", "same"}]
    for one, other in pairwise(tables):
        if sinks[one] != sinks[other] or sinks[one].settings != sinks[other].settings:
            sentence = f'"{one}" and "{other}" both write NAME.results.csv'
            plugins.problems.warn(
                (*keys, "sinks"), f"{sentence}; where one would write it otherwise, it waits until one is taken out"
            )
