"""Checks the parts of a config that belong to plugins: whether the kind exists, and accepts these settings."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from ..archives import LIMIT_KEYS
from ..domain.formats import ARCHIVE, PACKED
from ..domain.routing import PluginSpec
from ..domain.words import Keys, nearest, proposal
from ..errors import PluginError
from ..plugin.catalogue import Catalogue, Role, told
from ..plugin.sources import what_was_raised
from ..plugin.validation import SettingFault, check, literal_secrets
from ..requests.rules import fits
from ..secrets.literals import is_secret
from ..settings import FromFile
from .checking.checks import check_json
from .locations import resolved
from .problems import Problems
from .service_table import ServiceTable
from .tables import SinkTable

_REFERENCE = 'write "env:NAME", "file:PATH" or "credential:NAME"'
_LITERAL = f"is the secret itself, so everyone who can read this file sees it; {_REFERENCE} instead"
_SUFFIX = re.compile(r"\.[A-Za-z0-9]+$")


class PluginTables:
    """Checks tables of plugins against a catalogue, and collects the problems."""

    def __init__(self, catalogue: Catalogue, problems: Problems) -> None:
        self._catalogue = catalogue
        self.problems = problems

    def known(
        self, role: Role, kind: object, table: Keys, *, needed: bool, key: str = "plugin", named: Iterable[str] = ()
    ) -> bool:
        """Whether the kind can be used. A broken plugin is a problem only if it is needed.

        `named` are tables that a route may have meant instead.
        """
        if not isinstance(kind, str):
            return False  # the table's own model reports it
        place = (*table, key)
        if self._catalogue.find(role, kind) is not None:
            return True
        if self._catalogue.is_disabled(role, kind):
            self.problems.add(place, f'the {role.noun} "{kind}" is disabled; take it out of [plugins] disabled')
            return False
        if (why := self._catalogue.absent(role, kind)) is not None:
            self.problems.warn(place, why)
            return True
        if role is Role.PROVIDER and self._catalogue.find(Role.SERVICE, kind) is not None:
            self.problems.add(
                place, f'there is no plugin "{kind}", but a service of that name; write service = "{kind}"'
            )
            return False
        kinds = {*self._catalogue.kinds(role), *named}
        suspects, alike = self._catalogue.suspects(role, kind)
        broken = bool(suspects) and (alike or nearest(kind, kinds) is None)
        if key == "sinks":  # named by a route
            sentence = f'there is no sink "{kind}", neither as a table [sinks.{kind}] nor built in'
        elif broken:
            sentence = f'the {role.noun} "{kind}" is not there'
        else:
            sentence = f'there is no {role.noun} "{kind}"'
        sentence += f". {told(suspects, alike)}" if broken else proposal(kind, kinds)
        if broken and not needed:
            self.problems.warn(place, sentence)
        else:
            self.problems.add(place, sentence, plugin=broken)
        return False

    def served(
        self, written: Mapping[str, Any], table: Keys, *, needed: bool
    ) -> tuple[Mapping[str, Any], ServiceTable | None] | None:
        """The provider's table completed by its `service`, and the service's table. None if it cannot be used."""
        name = written.get("service")
        if not isinstance(name, str):
            return written, None  # a fault that the table's own model reports, if it is one
        if not self.known(Role.SERVICE, name, table, needed=needed, key="service"):
            return None
        try:
            known, faults = check(ServiceTable, self._catalogue.service(name))
        except PluginError as error:
            known, faults = None, [SettingFault((), str(error).rstrip("."))]
        if known is None:
            wrong = "; ".join(fault.in_table for fault in faults)
            self.problems.add((*table, "service"), f'the table of the service "{name}" is wrong: {wrong}', plugin=True)
            return None
        for key, example in known.missing(written).items():
            self.problems.add((*table, key), f'is missing: only you know yours, such as "{example}"')
        return known.completed(written), known

    def settings(
        self, role: Role, kind: str, settings: Mapping[str, Any], table: Keys, *, also_known: Iterable[str] = ()
    ) -> None:
        """Check the settings by the plugin's model. Warns of a secret in the config itself."""
        secrets, faults = self._checked(role, kind, settings, also_known)
        self.problems.add_faults(table, faults)
        for keys in secrets:
            self.problems.warn((*table, *keys), _LITERAL)

    def commands(self, tables: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
        """Check that the commands are there. Each reads its table itself when it is called."""
        for name, table in tables:
            if self.known(Role.COMMAND, name, ("commands",), needed=False, key=name):
                for key, value in table.items():
                    if isinstance(value, str) and is_secret(key, value):
                        self.problems.warn(("commands", name, key), _LITERAL)

    def asked(self, role: Role, table: Keys, written: object) -> PluginSpec | None:
        """Check a prompt or a reader of a route. Its table goes unchanged into the job's snapshot."""
        if not isinstance(written, dict):
            return None
        settings = {key: value for key, value in written.items() if key != "plugin"}
        check_json(table, settings, self.problems)
        if role is Role.READER:
            for key in settings.keys() & set(LIMIT_KEYS):
                if type(settings[key]) is not int or settings[key] < 1:
                    self.problems.add((*table, key), "should be a whole number of at least 1")
        if "plugin" not in written:
            return PluginSpec("", settings)
        kind = written["plugin"]
        if not isinstance(kind, str):
            self.problems.add((*table, "plugin"), "should be the name of a plugin's kind, in quotes")
        elif self.known(role, kind, table, needed=True):
            settings = self._with_files(role, kind, settings, table)
            own = _without_limits(settings) if role is Role.READER else settings
            secrets, faults = self._checked(role, kind, own, ("plugin",))
            self._snapshot(table, secrets, faults)
            return PluginSpec(kind, settings)
        return None

    def _with_files(self, role: Role, kind: str, settings: Mapping[str, Any], table: Keys) -> dict[str, Any]:
        """The settings with the content of the files that they name."""
        try:
            fields = self._catalogue.settings_type(role, kind).model_fields
        except PluginError:
            return dict(settings)  # reported when they are checked
        read = dict(settings)
        for name, field in fields.items():
            key = field.alias or name
            for mark in field.metadata:
                if isinstance(mark, FromFile) and isinstance(settings.get(key), str):
                    try:
                        read[key] = mark.read(resolved(settings[key], self.problems.path))
                    except ValueError as error:
                        self.problems.add((*table, key), f"cannot be used: {str(error).rstrip('.')}")
                        del read[key]
        return read

    def check_prompt(self, prompt: PluginSpec, endpoint: str, params: Collection[str], route: Keys) -> None:
        """Refuse an endpoint that the prompt has no requests for, and params that it would override."""
        try:
            builder = self._catalogue.create(Role.PROMPT_BUILDER, prompt.kind, prompt.settings)
            written = tuple(builder.endpoints)
            fitting = fits(endpoint, written)
            overridden = [key for key in builder.sets if key in params]
        except (PluginError, TypeError):
            return  # faults in its settings are reported already, and its own tests must find those in its code
        for key in overridden:
            mode = (
                '; schema_mode = "json_object" or "prompt" in the prompt changes it' if key == "response_format" else ""
            )
            text = f'would be overridden, since the prompt "{prompt.kind}" sets it itself; take it out{mode}'
            self.problems.add((*route, "params", key), text)
        if not fitting:
            self.problems.add(
                (*route, "endpoint"),
                f'is "{endpoint}", but the prompt "{prompt.kind}" writes requests for {" or ".join(written)}, and the '
                "service would refuse every row; write that endpoint, or another prompt",
            )

    def reader_by_suffix(self, spec: PluginSpec, table: Keys, patterns: Sequence[str]) -> None:
        """Check the settings of a reader without a kind: readers for the patterns' suffixes must know and accept them.

        A route may take several formats, so a key need not be known to all.
        """
        suffixes = (match[0] for each in patterns if (match := _SUFFIX.search(each)))
        kinds = {self._catalogue.reader_for(suffix) for suffix in suffixes} - {None}
        readers = sorted(filter(None, kinds)) or self._catalogue.kinds(Role.READER)
        known = {kind: self._keys(kind) for kind in readers}
        settings = _without_limits(spec.settings)
        strange = settings.keys() - set().union(*known.values())
        results = {
            kind: self._checked(
                Role.READER,
                kind,
                {key: value for key, value in settings.items() if key in strange or key in known[kind]},
                ("plugin",),
            )
            for kind in readers
        }
        if strange and results:
            results = dict([min(results.items(), key=lambda result: len(result[1][1]))])
        told: list[SettingFault] = []
        for secrets, faults in results.values():
            # With several readers, a key that one of them needs may be missing: the table may be for the others.
            here = [fault for fault in faults if len(readers) == 1 or (fault.keys and fault.keys[0] in spec.settings)]
            self._snapshot(table, secrets, [fault for fault in here if fault not in told])
            told += here

    def check_formats(self, route: Keys, formats: Sequence[str]) -> None:
        known = {suffix.lstrip(".") for suffix in (*self._catalogue.suffixes(), *PACKED, ARCHIVE)}
        for each in formats:
            if each.lower().lstrip(".") not in known:
                if self._catalogue.kept_off:
                    continue  # a plugin that is kept off may read it
                self.problems.add((*route, "formats"), f'names "{each}", which no reader reads{proposal(each, known)}')

    def _keys(self, kind: str) -> set[str]:
        try:
            fields = self._catalogue.settings_type(Role.READER, kind).model_fields
        except PluginError:
            return set()
        return {field.alias or name for name, field in fields.items()}

    def built_in_sink(self, name: str, route: Keys, named: Iterable[str]) -> SinkTable | None:
        """The sink that a route names without a table of its own, if the kind exists and needs no settings."""
        if not self.known(Role.SINK, name, route, needed=True, key="sinks", named=named):
            return None
        _, faults = self._checked(Role.SINK, name, {}, ())
        if faults:
            wrong = "; ".join(fault.in_table for fault in faults)
            self.problems.add(
                (*route, "sinks"), f'the sink "{name}" needs settings ({wrong}); write a table [sinks.{name}]'
            )
            return None
        return SinkTable(plugin=name)

    def _snapshot(self, table: Keys, secrets: Sequence[Keys], faults: list[SettingFault]) -> None:
        self.problems.add_faults(table, faults)
        for keys in secrets:
            self.problems.add(
                (*table, *keys), f"is the secret itself, which would be stored with every job; {_REFERENCE}"
            )

    def _checked(
        self, role: Role, kind: str, settings: Mapping[str, Any], also_known: Iterable[str]
    ) -> tuple[Sequence[Keys], list[SettingFault]]:
        """The places of literal secrets, and the faults."""
        try:
            checked, faults = check(self._catalogue.settings_type(role, kind), settings, also_known=also_known)
        except PluginError as error:
            return (), [SettingFault((), str(error))]
        # The validators of a plugin's settings are foreign code.
        except (Exception, SystemExit) as error:  # noqa: BLE001
            return (), [
                SettingFault((), f'the {role.noun} "{kind}" failed on these settings: {what_was_raised(error)}')
            ]
        return (() if checked is None else tuple(literal_secrets(checked))), faults


def _without_limits(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in settings.items() if key not in LIMIT_KEYS}
