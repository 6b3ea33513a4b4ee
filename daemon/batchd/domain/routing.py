"""Routes, and the choice of the route for a dropped file."""

from __future__ import annotations

import fnmatch
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from ..model import Json
from .send_hours import SendHours

if TYPE_CHECKING:
    from ..files import Rights


class PluginSpec(Struct, frozen=True):
    """A plugin in a config: its kind, and its settings as written (but checked).

    `plugin_dir` is a folder where worker processes look for plugins besides the installed ones, and `disabled` has the
    names of plugins that they leave out. Snapshots have neither.
    """

    kind: str
    settings: Mapping[str, Json] = msgspec.field(default_factory=dict)
    plugin_dir: str | None = None
    disabled: frozenset[str] = frozenset()

    def to_json(self) -> dict[str, Json]:
        """Its form in a snapshot of a Route."""
        return {"kind": self.kind, "settings": dict(self.settings)}


OF_NOW = frozenset(
    {"rights", "finish_within", "priority", "fallback", "fallback_model", "fallback_after", "pilot", "pilot_spread"}
    | {"send_between"}
)
"""Fields that are not in a snapshot: the present configuration applies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A rule of the config: which files, which prompt, provider, model, sinks.

    A job stores a snapshot of it, so that a change of the config changes no running job. A snapshot has no secrets:
    they belong to providers and sinks, which a route only names. Nor does it have the fields in `OF_NOW`: for the
    rights to read results, the deadline, the sending hours, the priority, the fallback and the pilot, the present
    configuration applies.
    """

    name: str
    match: Sequence[str]
    provider: str
    model: str
    prompt: PluginSpec
    endpoint: str = "/v1/chat/completions"
    params: Mapping[str, Json] = field(default_factory=dict)
    sinks: Sequence[str] = ("csv",)
    attempts: int = 3
    part_rows: int = 10_000
    reader: PluginSpec | None = None
    reuse: float | None = None
    identical_rows: str = "auto"
    empty_rows: str = "skip"
    max_failed: float = 1.0
    questions: str | None = None
    question: Mapping[str, Json] | None = None
    files: str | None = None
    max_file_bytes: int = 20_000_000
    rights: Rights | None = None
    finish_within: float | None = None
    send_between: SendHours | None = None
    priority: int = 1
    fallback: str | None = None
    fallback_model: str | None = None
    fallback_after: float | None = None
    formats: Sequence[str] | None = None
    pilot: int = 0
    pilot_spread: bool = False
    review: int = 0
    then: str | None = None

    def to_json(self) -> dict[str, Json]:
        """The snapshot that is stored with a job."""
        # Not asdict, which copies every value inside: 10,000 dropped files are 10,000 snapshots.
        values = ((each.name, getattr(self, each.name)) for each in fields(self) if each.name not in OF_NOW)
        return {name: value.to_json() if isinstance(value, PluginSpec) else value for name, value in values}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Route:
        """A Route from a snapshot; keys of other versions are ignored."""
        known = {key: value for key, value in record.items() if key in cls.__dataclass_fields__ and key not in OF_NOW}
        known["prompt"] = PluginSpec(**record["prompt"])
        if record.get("reader") is not None:
            known["reader"] = PluginSpec(**record["reader"])
        # JSON has no tuples; a route with lists would not be equal to itself, nor to NO_ROUTE.
        known |= {key: tuple(known[key]) for key in ("match", "sinks", "formats") if known.get(key) is not None}
        return cls(**known)

    def asks_once(self) -> bool:
        """Whether identical requests of a file are asked once: the answer would be the same, or the route says so.

        If not, only requests whose own body sets `temperature` to 0 are asked once.
        """
        if self.identical_rows == "auto":
            temperature = self.params.get("temperature")
            return self.endpoint.endswith("/embeddings") or (temperature == 0 and not isinstance(temperature, bool))
        return self.identical_rows == "once"

    @property
    def recipe(self) -> str:
        """A digest of how its requests are asked, apart from their texts. Services refuse equal recipes alike."""
        words = ("user", "system", "input", "messages", "examples")
        prompt = {key: bool(value) if key in words else value for key, value in self.prompt.settings.items()}
        parts = [self.provider, self.model, self.endpoint, self.params, self.prompt.kind, prompt]
        return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:32]

    def common_body(self) -> dict[str, Json]:
        """What the route adds to every request body."""
        return {"model": self.model, **self.params}


NO_ROUTE = Route(name="", match=(), provider="", model="", prompt=PluginSpec(""))
"""The route of a job whose file matches no route; the job is rejected."""


def no_route_reason(path: str, routes: Sequence[Route]) -> str:
    """The message that no route matches the file, and where to drop it instead."""
    folder = path.rpartition("/")[0]
    return (
        f"Files of this name are not processed {f'in the folder {folder}' if folder else 'directly in the inbox'}. "
        f"{_where_to_drop(routes)}\n"
        f"For the operator: {'; '.join(f'route {route.name} takes {_either(route.match)}' for route in routes)}."
    )


def _where_to_drop(routes: Sequence[Route]) -> str:
    """The folders whose files all match a route; if there are none, the names that match."""
    patterns = [pattern for route in routes for pattern in route.match]
    folders = [pattern.removesuffix("/**") for pattern in patterns if re.fullmatch(r"[^*?\[]+/\*\*", pattern)]
    if folders:
        return f"Put the file into the folder {_either(folders)}."
    return f"Give it a name like {_either(patterns)}." if patterns else "No folder is set up for files yet."


def _either(choices: Sequence[str]) -> str:
    *most, last = choices
    return f"{', '.join(most)} or {last}" if most else last


def route_for(path: str, routes: Sequence[Route]) -> Route | None:
    """The first route, in the order of the config, with a pattern that matches `path` (relative to the inbox, `/`)."""
    return next((route for route in routes if any(matches(path, pattern) for pattern in route.match)), None)


def matches(path: str, pattern: str) -> bool:
    """Whether the path matches the pattern. `**` spans folders; a pattern without `/` applies to the name alone.

    >>> matches("reviews/2026/may.csv", "reviews/**"), matches("a/review-1.csv", "*review*.csv")
    (True, True)
    """
    if "/" not in pattern:
        return fnmatch.fnmatchcase(path.rsplit("/", 1)[-1], pattern)
    return _matches(path.split("/"), pattern.split("/"))


def _matches(names: Sequence[str], patterns: Sequence[str]) -> bool:
    if not patterns:
        return not names
    if patterns[0] == "**":
        rest = patterns[1:]
        # A trailing `**` needs at least one name: the files in the folder, not the folder.
        if not rest:
            return bool(names)
        return any(_matches(names[start:], rest) for start in range(len(names) + 1))
    return bool(names) and fnmatch.fnmatchcase(names[0], patterns[0]) and _matches(names[1:], patterns[1:])


def cached_for(route: Route) -> float:
    """Seconds for which the route asks a service to cache its input, which may cost extra; 0 if it does not ask."""
    asked = [*_cache_controls(route.params), *_cache_controls(route.prompt.settings)]
    return max((3_600.0 if each == "1h" else 300.0 for each in asked), default=0.0)


def _cache_controls(value: Json) -> Iterator[str]:
    """Yield the `ttl` of each `cache_control` in the value."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            if key == "cache_control" and isinstance(each, Mapping):
                yield str(each.get("ttl", "5m"))
            else:
                yield from _cache_controls(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _cache_controls(each)
