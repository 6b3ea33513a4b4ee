"""Calls the hooks of one plugin. Each plugin has its own pluggy manager, so that one that raises stops no other."""

from __future__ import annotations

import inspect
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import pluggy

from .. import hookspecs
from ..domain.words import nearest
from ..errors import PluginError
from .coroutines import fault_of
from .sources import NOT_OF_PLUGINS, Origin, what_was_raised

_KIND = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")
_SUFFIX = re.compile(r"\.[^A-Z./\s]+")
_DEFINITION = re.compile(r"hookimpl definition: (.+)")


class Role(StrEnum):
    READER = "reader"
    PROMPT_BUILDER = "prompt_builder"
    PROVIDER = "provider"
    SINK = "sink"
    OBSERVER = "observer"
    EXECUTOR = "executor"
    SERVICE = "service"
    COMMAND = "command"

    @property
    def hook(self) -> str:
        return f"register_{self}s"

    @property
    def noun(self) -> str:
        """The words for it in messages."""
        return self.replace("_", " ")


_HOOKS = frozenset(role.hook for role in Role)


@dataclass(frozen=True, slots=True)
class Offer:
    """One kind that a plugin offers. `distribution` is a name and version, empty for a file of the plugin folder."""

    role: Role
    kind: str
    plugin: str
    distribution: str
    where: str
    factory: Callable[..., Any] = field(repr=False)

    def __str__(self) -> str:
        return f'the plugin "{self.plugin}" of {self.distribution or self.where}'

    @property
    def names(self) -> tuple[str, ...]:
        """The names by which it can be disabled."""
        return (self.kind, self.plugin, self.distribution.partition(" ")[0])

    @property
    def suffixes(self) -> tuple[str, ...]:
        """The suffixes of files that it reads, if it is a reader."""
        return tuple(getattr(self.factory, "suffixes", ())) if self.role is Role.READER else ()

    @property
    def only_if_named(self) -> bool:
        """Whether it is a reader of files that a route must name in its `formats`."""
        return bool(getattr(self.factory, "only_if_named", False))


class _Manager(pluggy.PluginManager):
    def parse_hookspec_opts(self, module_or_class: Any, name: str) -> Any:
        # Each plugin has its own manager, and pluggy's look at each name of the module is slow.
        return super().parse_hookspec_opts(module_or_class, name) if name in _HOOKS else None


def registered(plugin: object) -> pluggy.PluginManager:
    """The plugin in a manager of its own. Raises PluginError: which hook does not fit, and how to write it."""
    manager = _Manager(hookspecs.hookimpl.project_name)
    manager.add_hookspecs(hookspecs)
    try:
        manager.register(plugin)
    except pluggy.PluginValidationError as error:
        definition = _DEFINITION.search(str(error))
        what = f"its hook {definition[1]} does not fit" if definition else "one of its hooks does not fit"
        raise PluginError(f"{what}: a hook takes one argument, register") from None
    callers = manager.get_hookcallers(plugin)
    if not callers:
        raise PluginError("it has no hooks: mark its functions with @batchd.hookimpl")
    for caller in callers:
        if not caller.has_spec():
            meant = nearest(caller.name, [role.hook for role in Role])
            hint = f" (did you mean {meant}?)" if meant else ""
            raise PluginError(f"its hook {caller.name} is not one that batchd knows{hint}")
        for implementation in caller.get_hookimpls():
            _check(caller.name, implementation)
    return manager


def ask(origin: Origin, manager: pluggy.PluginManager, role: Role) -> tuple[list[Offer], str | None]:
    """The plugin's offers in the role; and the reason, if it failed before the end."""
    offers: dict[str, Offer] = {}

    def register(kind: object, factory: object) -> None:
        if not isinstance(kind, str) or _KIND.fullmatch(kind) is None:
            raise PluginError(f"it registers the {role.noun} {kind!r}, which is no name: use letters, digits and .+-_")
        if kind in offers:
            raise PluginError(f'it registers the {role.noun} "{kind}" twice')
        if not callable(factory):
            raise PluginError(f'it registers the {role.noun} "{kind}" with {factory!r}, which cannot be called')
        offer = Offer(role, kind, origin.name, origin.distribution, origin.where, factory)
        if not _are_suffixes(getattr(factory, "suffixes", ())):
            raise PluginError(f'the suffixes of its reader "{kind}" must be a tuple such as (".csv",), in lower case')
        fault = fault_of(factory) if isinstance(factory, type) else None
        if fault is not None:
            raise PluginError(f'its {role.noun} "{kind}" breaks its contract: {fault}')
        offers[kind] = offer

    try:
        getattr(manager.hook, role.hook)(register=register)
    except PluginError as error:
        return list(offers.values()), str(error)
    except NOT_OF_PLUGINS:
        raise
    # A hook is foreign code: what it raises makes this plugin broken, and no other.
    except BaseException as error:  # noqa: BLE001
        return list(offers.values()), f"its hook {role.hook} raised {what_was_raised(error)}"
    return list(offers.values()), None


def rivals(offers: Iterable[Offer]) -> list[tuple[list[Offer], str]]:
    """Offers of one role that conflict with each other, with a sentence that names their plugins."""
    claims: dict[str, list[Offer]] = defaultdict(list)
    for offer in offers:
        claims[f'the {offer.role.noun} "{offer.kind}"'].append(offer)
        # A reader that routes must name gives way to one that is made for this suffix.
        for suffix in () if offer.only_if_named else dict.fromkeys(offer.suffixes):
            claims[f"a reader for {suffix}"].append(offer)
    return [
        (same, f"{' and '.join(map(str, same))} offer {claim}: remove one of them")
        for claim, same in claims.items()
        if len(same) > 1
    ]


def _check(hook: str, implementation: pluggy.HookImpl) -> None:
    function = implementation.function
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise PluginError(f"its hook {hook} is async, so it would never be awaited: write a plain def")
    if inspect.isgeneratorfunction(function):
        raise PluginError(f"its hook {hook} contains yield, so it would never run: write a plain def")
    if implementation.argnames != ("register",):
        raise PluginError(f"its hook {hook} does not fit: a hook takes one argument, register")


def _are_suffixes(suffixes: object) -> bool:
    return isinstance(suffixes, tuple | list) and all(
        isinstance(each, str) and _SUFFIX.fullmatch(each) is not None for each in suffixes
    )
