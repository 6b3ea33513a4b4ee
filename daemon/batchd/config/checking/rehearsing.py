"""Loads plugins of others in a process of their own first: one that blocks or dies there is named and kept off.

batchd runs their imports, hooks and factories before anything watches over them, in commands as well as in the daemon.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from msgspec import Struct

from ...errors import BatchdError
from ...files import make_folder
from ...plugin.blame import PluginPlace, homes_of, place_of, place_of_dump
from ...plugin.catalogue import Catalogue, Role
from ...plugin.disabled import disabled_origin
from ...plugin.kept_off import (
    DEAF,
    KeptOff,
    died_of,
    dump_of,
    keep_off,
    kept_off,
    not_loaded,
    note_dumps,
    state_of,
    stored,
)
from ...plugin.sources import all_origins, is_ours, what_was_raised
from .. import toml as toml_text
from ..locations import plugin_choice, state_folder

_SILENT = 5.0
"""Seconds beyond the limit after which a silent process is ended from outside."""
_CHILD = "import sys, json; a = json.loads(sys.argv[1]); sys.path[:] = a.pop('path'); \
from batchd.config.checking.rehearsing import rehearse; rehearse(**a)"
_went_well: set[tuple[str, bool]] = set()
"""What was tried in this process and went well: configuration and plugins, and whether objects were made."""


class _Ended(Struct, frozen=True):
    """How a rehearsal ended: which code of a plugin was under way, if any, and what the process left behind."""

    plugin: str = ""
    what: str = ""
    raised: str = ""
    status: int | None = None
    dump: str = ""


def loaded_plugins(config: Path | None, *, making: bool = True) -> Catalogue:
    """All plugins that are not disabled, for commands that only list them. One that cannot be loaded is broken.

    If `making`, so is one whose objects cannot be made with the settings in the configuration.
    """
    choice: tuple[Path | None, frozenset[str]] = plugin_choice(config) if config is not None else (None, frozenset())
    return Catalogue.load(*choice, tolerant=True, off=not_loaded(found(config, making=making)))


def to_keep_off(config: Path) -> dict[str, str]:
    """The plugins that a daemon keeps off, each with a sentence that says why; stored for its next start."""
    return not_loaded(found(config, to_be_kept=True))


def found(config: Path | None, *, to_be_kept: bool = False, making: bool = True) -> list[KeptOff]:
    """The plugins that are kept off: those that were before, and those that cannot be loaded as they are now.

    If `to_be_kept`, new ones are stored, so that no later start waits for them.
    """
    plugin_dir, disabled = plugin_choice(config) if config is not None else (None, frozenset[str]())
    installed = (each for each in all_origins(plugin_dir) if not is_ours(each.distribution))
    foreign = [each for each in installed if disabled_origin(each, disabled) is None]
    if not foreign:
        return []
    configuration, state = state_of(config, plugin_dir), None
    seconds = _may_block(config)
    before: list[KeptOff] = []
    if config is not None:
        state = state_folder(config)
        if to_be_kept:
            note_dumps(state, seconds=seconds, configuration=configuration, homes=homes_of(foreign))
        before = list(kept_off(state, configuration))
    news: list[KeptOff] = []
    names = {each.name for each in foreign} - {each.plugin for each in before}
    if (configuration, making) in _went_well:
        return before
    for _ in range(len(names)):
        off = not_loaded([*before, *news])
        # If nothing is to be made, batchd's own plugins are not needed.
        left_out = disabled if making else {*disabled, "batchd"}
        ended = _rehearsed(config if making else None, plugin_dir, left_out, seconds=seconds, off=off)
        place = place_of_dump(ended.dump, homes_of(foreign))
        plugin = ended.plugin or (place.plugin if place is not None else "")
        if plugin not in names:
            break  # all is well, or no plugin is the cause
        names.remove(plugin)
        news.append(_kept(plugin, ended, place, seconds, configuration))
    if not news:
        _went_well.add((configuration, making))
    if news and to_be_kept and state is not None:
        make_folder(state)
        keep_off(state, [*stored(state), *news])
    return [*before, *news]


@contextmanager
def last_resort(config: Path) -> Iterator[None]:
    """While the daemon itself loads plugins: if one blocks or dies only here, the process ends; a dump names it."""
    dump = dump_of(state_folder(config), os.getpid())
    try:
        file = dump.open("wb")
    except OSError:
        yield  # the first start: there is no state folder yet
        return
    with file:
        faulthandler.enable(file)
        faulthandler.dump_traceback_later(_may_block(config) + DEAF, exit=True, file=file)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
            faulthandler.disable()
    dump.unlink(missing_ok=True)


def _may_block(config: Path | None) -> float:
    from ...plugin.validation import check
    from ..tables import PluginsTable

    section = toml_text.read(config).data.get("plugins") if config is not None else None
    written = section if isinstance(section, dict) else {}
    checked, _ = check(PluginsTable, {key: value for key, value in written.items() if key == "may_block"})
    return (checked or PluginsTable()).may_block


def _kept(plugin: str, ended: _Ended, place: PluginPlace | None, seconds: float, configuration: str) -> KeptOff:
    place = place or PluginPlace(plugin, "", 0, ended.what)
    what = ended.what or (str(place) if place.file else "its code")
    where = f" ({place.file}, line {place.line})" if place.file else ""
    if ended.raised:
        how = f"{what} raised {ended.raised}"
    elif ended.status is None or "Timeout (" in ended.dump:
        how = f"{what} did not return within {seconds:g} s{where}"
    elif ended.status < 0:
        how = f"{what} ended the process: {died_of(ended.dump) or signal.strsignal(-ended.status)}{where}"
    else:
        how = f"{what} ended the process with status {ended.status}"
    return KeptOff(plugin, place.file, place.line, place.method, seconds, time.time(), configuration, how)


# --- here --------------------------------------------------------------------------------------------------------


def _rehearsed(
    config: Path | None, plugin_dir: Path | None, disabled: Collection[str], *, seconds: float, off: Mapping[str, str]
) -> _Ended:
    arguments = {
        "path": sys.path,
        "config": str(config) if config is not None else None,
        "plugin_dir": str(plugin_dir) if plugin_dir is not None else None,
        "disabled": sorted(disabled),
        "seconds": seconds,
        "off": dict(off),
    }
    with tempfile.TemporaryFile() as errors:
        command = [sys.executable, "-c", _CHILD, json.dumps(arguments)]
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors)
        told: dict[str, str] = {}
        try:
            for line in _lines(child.stdout, seconds + _SILENT):
                told = line or told
                if "done" in told:
                    return _Ended()
            status = _status(child)
        finally:
            child.kill()
            child.wait()
            if child.stdout is not None:
                child.stdout.close()
        errors.seek(0)
        dump = errors.read().decode(errors="replace")
    return _Ended(told.get("plugin", ""), told.get("what", ""), told.get("raised", ""), status, dump)


def _lines(pipe: IO[bytes] | None, silent: float) -> Iterator[dict[str, str]]:
    """Yield what the process reports, until it ends or has been silent for so many seconds."""
    assert pipe is not None
    descriptor, rest = pipe.fileno(), b""
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while selector.select(silent):
            said = os.read(descriptor, 65_536)
            *lines, rest = (rest + said).split(b"\n")
            yield from (json.loads(line) if line else {} for line in lines)
            if not said:
                return


def _status(child: subprocess.Popen[bytes]) -> int | None:
    try:
        return child.wait(1)
    except subprocess.TimeoutExpired:
        return None


# --- in the process of its own -----------------------------------------------------------------------------------


def rehearse(
    *, config: str | None, plugin_dir: str | None, disabled: Collection[str], seconds: float, off: Mapping[str, str]
) -> None:
    """Load the plugins, call all their hooks, and make what the configuration names. Ends the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    report = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    faulthandler.enable()
    progress = [0]

    def tell(**said: str) -> None:
        progress[0] += 1
        report.write(json.dumps(said) + "\n")

    def watch() -> None:
        # Code that imports module after module is slow, and not blocked.
        seen: tuple[int, int] | None = None
        while True:
            now = (progress[0], len(sys.modules))
            if now != seen:
                seen = now
                faulthandler.dump_traceback_later(seconds, exit=True)
                report.write("\n")
            time.sleep(min(0.5, seconds / 4))

    threading.Thread(target=watch, daemon=True).start()
    begun = {"plugin": "", "what": ""}

    def note(plugin: str, what: str) -> None:
        begun.update(plugin=plugin, what=what)
        tell(**begun)

    try:
        catalogue = Catalogue.load(
            Path(plugin_dir) if plugin_dir else None, disabled, tolerant=True, off=off, begun=note
        )
        for offer in catalogue.offers:
            # Commands are made for help alone; a daemon needs none.
            if config is None and offer.role is Role.COMMAND and not is_ours(offer.distribution):
                note(offer.plugin, f'the command "{offer.kind}"')
                with contextlib.suppress(Exception, SystemExit):  # told where the command is called
                    offer.factory()
                note("", "")
        if config is not None:
            _make_all(Path(config), catalogue)
    except BatchdError:
        pass  # it is reported where the configuration is used
    except BaseException as error:  # noqa: BLE001  # whatever it is, it must not be lost
        place = place_of(error)
        tell(**begun | ({"plugin": place.plugin} if place is not None else {}), raised=what_was_raised(error))
        report.flush()
        os._exit(1)
    tell(done="")
    report.flush()
    os._exit(0)


def _make_all(path: Path, catalogue: Catalogue) -> None:
    from .. import load as configuration

    config = configuration.load(path, catalogue)
    os.chdir(config.path.parent)
    tables: dict[str, Mapping[str, Any]] = {
        "provider": config.providers,
        "sink": config.sinks,
        "observer": config.observers,
    }
    for role, named in tables.items():
        for table in named.values():
            offer = catalogue.find(role, table.plugin)
            if offer is not None and not is_ours(offer.distribution):
                with contextlib.suppress(BatchdError):
                    catalogue.create(role, table.plugin, table.settings)
