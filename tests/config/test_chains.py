"""Chains of routes: what cannot come to an end is refused by name, and sinks come from the last step."""

from __future__ import annotations

from pathlib import Path

from batchd.config.problems import Problems
from batchd.config.routes import chained
from batchd.config.toml import Document
from batchd.domain.routing import PluginSpec, Route


def routes_of(text: str) -> tuple[list[Route], list[str]]:
    """The routes of a text, such as `a>b b>c`, and what is wrong with them. `a!csv` has sinks, `a?` asks by folder."""
    tables: dict[str, dict[str, object]] = {}
    for word in text.split():
        name, _, then = word.partition(">")
        name, _, sink = name.partition("!")
        table: dict[str, object] = {"then": then} if then else {}
        table |= {"sinks": [sink]} if sink else {}
        table |= {"questions": "folder"} if name.endswith("?") else {}
        tables[name.removesuffix("?")] = table
    problems = Problems(Document(Path("config.toml"), "", {"routes": tables}, ()))
    prompt = PluginSpec("template")
    routes = [
        Route(
            name=name,
            match=(),
            provider="p",
            model="m",
            prompt=prompt,
            then=str(table["then"]) if "then" in table else None,
            sinks=tuple(table.get("sinks", ["same"])),  # type: ignore[arg-type]  # lists of this test
        )
        for name, table in tables.items()
    ]
    made = chained(routes, tables, problems)
    if not problems:
        return made, []
    try:
        problems.stop()
    except Exception as error:
        return made, str(error).splitlines()
    raise AssertionError("problems stop the reading")


REFUSED = {
    "a>b": "there is no table [routes.b]",
    "a>a": "leads back to a: a → a",
    "a>b b>a": "leads back to a: a → b → a",
    "a>b b>c c>b": "leads back to b: a → b → c → b",
    "a>b b>c c>d d>e e>f f": "makes a chain of 6 steps: a → b → c → d → e → f. At most 5",
    "a>b b?": 'leads to b, whose questions = "folder"',
}


def test_a_chain_that_cannot_be_is_refused_in_words() -> None:
    faults = [text for text, words in REFUSED.items() if words not in " ".join(routes_of(text)[1])]
    assert not faults


def test_a_route_without_sinks_has_those_of_the_last_step() -> None:
    made, problems = routes_of("a>b b>c c!csv d!jsonl>c e!xlsx")
    assert not problems
    assert {route.name: route.sinks for route in made} == {
        "a": ("csv",),
        "b": ("csv",),
        "c": ("csv",),
        "d": ("jsonl",),
        "e": ("xlsx",),
    }
