"""The catalogue of what plugins offer.

It imports the modules of plugins at once, but calls a hook only when its role is first needed: a hook imports what it
offers, and a worker process that only reads files must not load the client of a provider.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeAlias

from ..domain.words import nearest
from ..errors import BatchdError, PluginError
from .coroutines import fault_of
from .disabled import DisabledPlugin, disabled_origin
from .hooks import Offer as Offer
from .hooks import Role as Role
from .hooks import ask, registered, rivals
from .neighbours import share
from .sources import NOT_OF_PLUGINS, Origin, all_origins, by_name, what_was_raised

if TYPE_CHECKING:
    import click
    import pluggy

    from ..contracts import Settings
    from ..model import Limits


@dataclass(frozen=True, slots=True)
class BrokenPlugin:
    """A plugin that cannot be used, as a whole (`role` is None) or for one role, and why.

    `kinds` are those that it registered before it failed.
    """

    plugin: str
    distribution: str
    where: str
    reason: str
    role: Role | None = None
    kinds: tuple[str, ...] = ()
    kept_off: bool = False
    """Whether it was not imported, since it blocks or ends the process that imports it."""

    @classmethod
    def of(cls, origin: Origin, reason: str, **more: Any) -> BrokenPlugin:
        """The plugin with why it cannot be used."""
        return cls(origin.name, origin.distribution, origin.where, reason, **more)

    @property
    def names(self) -> tuple[str, ...]:
        return (self.plugin, self.distribution.partition(" ")[0], *self.kinds)

    @property
    def sentence(self) -> str:
        """The whole sentence, for `batchd plugins` and for a route that needs the plugin."""
        if self.kept_off:
            return self.reason
        return f'The plugin "{self.plugin}" of {self.distribution or self.where} is broken: {self.reason}.'


def told(suspects: Sequence[BrokenPlugin], alike: bool) -> str:
    """Name the broken plugins that may have what is missing; if no name suggests it, only say how many there are."""
    if alike or len(suspects) < 2:
        return "\n".join(each.sentence for each in suspects)
    return f"{len(suspects)} plugins are broken, and one of them may have it: `batchd plugins` lists them, one a line."


Begun: TypeAlias = Callable[[str, str], object]
"""Called with the plugin and what of it runs before its code runs, and with empty strings after that."""


_registered_once = functools.cache(registered)
"""For modules that a process imports once. The files of the plugin folder are read again at each load."""


@dataclass(eq=False, repr=False)
class Catalogue:
    """All offers, by role and kind. Pickles as its arguments: the other process loads the plugins itself."""

    _plugin_dir: Path | None
    _names_disabled: frozenset[str]
    _tolerant: bool
    _off: Mapping[str, str]
    _begun: Begun
    _disabled: list[DisabledPlugin] = field(default_factory=list)
    _broken: list[BrokenPlugin] = field(default_factory=list)
    _plugins: list[tuple[Origin, pluggy.PluginManager]] = field(default_factory=list)
    _offers: dict[Role, dict[str, Offer]] = field(default_factory=dict)

    @classmethod
    def load(
        cls,
        plugin_dir: Path | None = None,
        disabled: Collection[str] = (),
        *,
        tolerant: bool = False,
        off: Mapping[str, str] | None = None,
        begun: Begun = lambda *_: None,
    ) -> Catalogue:
        """Import every plugin that is not disabled. Broken ones are listed in `broken` and raise nothing.

        Two plugins with one name, or that offer one kind, raise a PluginError that names both: now, or when the role
        is first needed. If `tolerant`, they are listed as broken instead, so that they can be shown.

        Plugins in `off`, each with a sentence that says why, are kept off: they are not imported.
        """
        catalogue = cls(plugin_dir, frozenset(disabled), tolerant, dict(off or {}), begun)
        share(plugin_dir)
        enabled = []
        for origin in all_origins(plugin_dir):
            left_out = disabled_origin(origin, catalogue._names_disabled)
            if left_out is None:
                enabled.append(origin)
            else:
                catalogue._disabled.append(left_out)
        single, clashes = by_name(enabled)
        for same, reason in clashes:
            catalogue._refuse((BrokenPlugin.of(each, reason) for each in same), reason)
        for origin in single:
            why = catalogue._off.get(origin.name)
            if why is not None:
                catalogue._broken.append(BrokenPlugin.of(origin, why, kept_off=True))
                continue
            begun(origin.name, "its import")
            try:
                loaded = origin.load()
                once = origin.entry_point is not None and isinstance(loaded, ModuleType)
                catalogue._plugins.append((origin, _registered_once(loaded) if once else registered(loaded)))
                begun("", "")
            except PluginError as error:
                catalogue._broken.append(BrokenPlugin.of(origin, str(error)))
        return catalogue

    def __reduce__(self) -> tuple[Any, ...]:
        load = functools.partial(Catalogue.load, tolerant=self._tolerant, off=self._off)
        return load, (self._plugin_dir, self._names_disabled)

    @property
    def offers(self) -> Sequence[Offer]:
        """All offers, sorted by role, then kind."""
        return [offer for role in Role for _, offer in sorted(self._of(role).items())]

    @property
    def broken(self) -> Sequence[BrokenPlugin]:
        """Every plugin that cannot be used, as a whole or for a role."""
        for role in Role:
            self._of(role)
        return tuple(self._broken)

    @property
    def disabled(self) -> Sequence[DisabledPlugin]:
        """Every plugin that is not imported, and every kind that is not offered, because it is disabled."""
        for role in Role:
            self._of(role)
        return tuple(self._disabled)

    def is_disabled(self, role: str, kind: str) -> bool:
        """Whether this kind, or a plugin with its name, is disabled."""
        self._of(role)
        return any(
            kind in {each.plugin, each.where.removeprefix("batchd_")} if each.role is None else each.kind == kind
            for each in self._disabled
            if each.role in {None, role}
        )

    def kinds(self, role: str) -> Sequence[str]:
        return sorted(self._of(role))

    def find(self, role: str, kind: str) -> Offer | None:
        return self._of(role).get(kind)

    def suspects(self, role: str, kind: str) -> tuple[Sequence[BrokenPlugin], bool]:
        """The broken plugins that may offer the kind, and whether their names suggest it."""
        self._of(role)
        possible = [each for each in self._broken if each.role is None or each.role == role]
        alike = [each for each in possible if kind in {each.plugin, each.where.removeprefix("batchd_"), *each.kinds}]
        return alike or possible, bool(alike)

    def absent(self, role: str, kind: str) -> str | None:
        """Why the kind is missing, if a plugin that is kept off may have it and batchd can go on without it."""
        from .absent import CAN_BE_ABSENT

        if self.find(role, kind) is not None or not self._off or role not in CAN_BE_ABSENT:
            return None
        suspects, alike = self.suspects(role, kind)
        off = [each for each in suspects if each.kept_off]
        if not off or (not alike and nearest(kind, self.kinds(role)) is not None):
            return None
        return f'The {Role(role).noun} "{kind}" is not there. {told(off, alike)}'

    @property
    def kept_off(self) -> Sequence[BrokenPlugin]:
        """The plugins that were not imported, since each blocks or ends the process that imports it."""
        return [each for each in self._broken if each.kept_off]

    def factory(self, role: str, kind: str) -> Callable[..., Any]:
        """The factory of the kind. Raises PluginError if no plugin offers it."""
        return self._offer(role, kind).factory

    def settings_type(self, role: str, kind: str) -> type[Settings]:
        from ..contracts import Settings

        offer = self._offer(role, kind)
        settings = getattr(offer.factory, "Settings", Settings)
        if not (isinstance(settings, type) and issubclass(settings, Settings)):
            raise PluginError(f"{_about(offer)} has Settings that are not a subclass of batchd.Settings.")
        return settings

    def settings(self, role: str, kind: str, table: Mapping[str, Any]) -> Any:
        """The checked settings of the kind, None if they are wrong."""
        from .validation import check

        return check(self.settings_type(role, kind), table)[0]

    def limits_of(self, provider: str) -> Limits | None:
        """The limits that the class of this kind of provider has, None if it tells none."""
        from ..model import Limits

        offered = getattr(self.factory(Role.PROVIDER, provider), "limits", None)
        return offered if isinstance(offered, Limits) else None

    def create(self, role: str, kind: str, settings: Mapping[str, Any]) -> Any:
        """A new object of the kind. Raises PluginError, which names the plugin; batchd's own errors pass through."""
        # Here and not at the top: they import pydantic, which a command that only lists plugins does not need.
        from .absent import CONTRACTS
        from .validation import check

        offer = self._offer(role, kind)
        about, model = _about(offer), self.settings_type(role, kind)
        self._begun(offer.plugin, f'the {offer.role.noun} "{kind}"')
        try:
            checked, faults = check(model, settings)
            if checked is None:
                wrong = "; ".join(fault.in_table for fault in faults)
                raise PluginError(f"{about} cannot use its settings: {wrong}{'' if wrong.endswith('?') else '.'}")
            instance = offer.factory(checked)
            self._begun("", "")
        except BatchdError:
            raise
        except NOT_OF_PLUGINS:
            raise
        except BaseException as error:
            raise PluginError(f"{about} could not be made: {what_was_raised(error)}.") from error
        if inspect.iscoroutine(instance):
            instance.close()
            raise PluginError(f"{about} is made by an async function: write a plain def.")
        contracts = CONTRACTS[offer.role]
        if not isinstance(instance, contracts):
            expected = " or ".join(contract.__name__ for contract in contracts)
            raise PluginError(f"{about} breaks its contract: it makes {type(instance).__name__}, not {expected}.")
        fault = fault_of(type(instance))
        if fault is not None:
            raise PluginError(f"{about} breaks its contract: {fault}.")
        if hasattr(instance, "find_other"):
            instance.find_other = self._other_sink
        return instance

    def _other_sink(self, kind: str) -> Any:
        """Make a sink of another kind, for a sink that leaves a job to it; None if there is none."""
        return self.create(Role.SINK, kind, {}) if self.find(Role.SINK, kind) is not None else None

    def reader_for(self, suffix: str) -> str | None:
        """The kind of the reader for files with this suffix (`.csv`), None if there is none."""
        readers = sorted(self._of(Role.READER).values(), key=lambda offer: offer.only_if_named)
        return next((offer.kind for offer in readers if suffix.lower() in offer.suffixes), None)

    def suffixes(self) -> Sequence[str]:
        return sorted({suffix for offer in self._of(Role.READER).values() for suffix in offer.suffixes})

    def table_suffixes(self) -> Sequence[str]:
        """The suffixes of files that a route takes if it names no formats."""
        offers = self._of(Role.READER).values()
        return sorted({suffix for offer in offers for suffix in offer.suffixes if not offer.only_if_named})

    def commands(self) -> Mapping[str, Callable[..., click.Command]]:
        """The commands that plugins add, by name; call one for its click.Command. Some take an Installation."""
        return {name: offer.factory for name, offer in sorted(self._of(Role.COMMAND).items())}

    def service(self, name: str) -> Mapping[str, Any]:
        """What a plugin says of the service. Raises PluginError, which names the plugin."""
        offer = self._offer(Role.SERVICE, name)
        try:
            table = offer.factory()
        except NOT_OF_PLUGINS:
            raise
        except BaseException as error:
            raise PluginError(f"{_about(offer)} cannot be read: {what_was_raised(error)}.") from error
        if not isinstance(table, Mapping):
            raise PluginError(f"{_about(offer)} is no table: it is {type(table).__name__}.")
        return table

    def stand_in(self, role: str, kind: str, why: str) -> Offer:
        """Return an offer that stands in for the kind. It only says why the kind is missing."""
        from .absent import absent

        return Offer(Role(role), kind, "", "", "a plugin that is kept off", absent(Role(role), why))

    def _offer(self, role: str, kind: str) -> Offer:
        offer = self.find(role, kind)
        if offer is None and (why := self.absent(role, kind)) is not None:
            return self.stand_in(role, kind, why)
        if offer is None:
            known = f"There are: {', '.join(self.kinds(role)) or 'none'}."
            reasons = " ".join(filter(None, (known, told(*self.suspects(role, kind)))))
            raise PluginError(f'There is no {Role(role).noun} "{kind}". {reasons}')
        return offer

    def _of(self, role: str) -> dict[str, Offer]:
        role = Role(role)
        if role not in self._offers:
            self._offers[role] = self._ask(role)
        return self._offers[role]

    def _ask(self, role: Role) -> dict[str, Offer]:
        offers: list[Offer] = []
        broken: list[BrokenPlugin] = []
        for origin, manager in self._plugins:
            self._begun(origin.name, f"its hook {role.hook}")
            registered_offers, reason = ask(origin, manager, role)
            self._begun("", "")
            if reason is None:
                left_out = [offer for offer in registered_offers if offer.kind in self._names_disabled]
                offers += [offer for offer in registered_offers if offer not in left_out]
                self._disabled += [
                    DisabledPlugin(origin.name, origin.distribution, origin.where, role, each.kind) for each in left_out
                ]
            else:
                kinds = tuple(offer.kind for offer in registered_offers)
                broken.append(BrokenPlugin.of(origin, reason, role=role, kinds=kinds))
        refused: list[Offer] = []
        for same, reason in rivals(offers):
            self._refuse((_rival(offer, reason) for offer in same), reason)
            refused += same
        self._broken += broken
        return {offer.kind: offer for offer in offers if offer not in refused}

    def _refuse(self, broken: Iterable[BrokenPlugin], reason: str) -> None:
        if not self._tolerant:
            raise PluginError(f"{reason[0].upper()}{reason[1:]}.")
        self._broken += broken


def _rival(offer: Offer, reason: str) -> BrokenPlugin:
    return BrokenPlugin(offer.plugin, offer.distribution, offer.where, reason, offer.role, (offer.kind,))


def _about(offer: Offer) -> str:
    return f'The {offer.role.noun} "{offer.kind}" ({offer})'
