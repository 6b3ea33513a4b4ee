"""Puts a backup back, where no daemon works: the configuration if there is none, and the state folder."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...config.locations import DEFAULT_FOLDERS, resolved
from ...config.toml import read as read_toml
from ...errors import BatchdError, StateUnusable
from ...files import fsync_folder, make_folder, sync_file_system
from ...plugin_base import PLUGIN_STATE
from ...status.daemon import running
from ...store import schema
from ...store.backups.putting_back import prepare
from ...store.layout import DATABASE, LOCK, RESTORING
from ...store.shared_spool import MARK
from ...store.spool import Spool
from .backup import CONFIG, FORM, MANIFEST, STATE, copied, is_empty, made, read_manifest

_OF_NO_JOB = frozenset({LOCK, MARK, RESTORING})


class CannotRestore(BatchdError):
    """The backup was not restored; the message says why."""

    exit_status = 5


@dataclass(frozen=True, slots=True)
class PutBack:
    """Where the backup is now, as `--json` has it. `config_written` says that the configuration is from the backup;
    then its `hidden` secrets are missing."""

    config: Path
    config_written: bool
    state: Path
    made_at: str
    jobs: int
    batches: int
    hidden: tuple[str, ...]


def restore(folder: Path, config: Path) -> PutBack:
    """Put the backup in `folder` back. CannotRestore if a file of it is not whole, or the state folder not empty."""
    manifest = read_manifest(folder)
    if manifest is None:
        lacks = "its backup.json is damaged" if (folder / MANIFEST).exists() else "it has no backup.json"
        raise CannotRestore(f"{folder} is no backup: {lacks}. Name a folder that batchd backup has made.")
    if manifest.get("form") != FORM:
        raise CannotRestore(
            f"{folder} was made by batchd {manifest.get('batchd')}, in a form that this version does not know. Install "
            "that version, then restore it again."
        )
    if manifest.get("schema", 0) > schema.version():
        raise CannotRestore(
            f"{folder} was made by batchd {manifest.get('batchd')}, which is newer than this one, and its database "
            "cannot be read here. Install that version, then restore it again. Nothing was restored."
        )
    files: Mapping[str, Any] = manifest["files"]
    _require_whole(folder, files)
    ours = config if config.exists() else folder / CONFIG
    state, outbox = (resolved(_named(ours, name), config) for name in ("state", "outbox"))
    if (daemon := running(state)) is not None:
        raise CannotRestore(
            f"A batchd (process {daemon.process or 'unknown'}) works on the state folder {state}. Stop it, or name "
            "another folder with [folders] state. Nothing was restored."
        )
    spool = resolved(_named(ours, "spool") or str(state), config)
    _require_empty(state, spool)
    with _faults_in_words(folder, state):
        make_folder(state, mode=0o700)
    with _faults_in_words(folder, state), Spool(state, spool).locked():
        _clear(state, spool)
        (state / RESTORING).write_text(f"{folder}\n")
        fsync_folder(state)
        database = state / f".{DATABASE}.{RESTORING}"
        for name, (size, digest) in sorted(files.items()):
            if name.startswith(f"{STATE}/"):
                of_state = name.count("/") == 1 or name.startswith(f"{STATE}/{PLUGIN_STATE}/")
                above = state if of_state else spool
                _copy(folder, name, above, database, (size, digest))
        for job in (spool / "jobs").glob("*"):
            (job / "parts").mkdir(mode=0o700, exist_ok=True)
        asyncio.run(prepare(database, spool, outbox, made_at=float(manifest["made_at"]), now=time.time))
        for copy in state.glob(f"{database.name}.*"):
            copy.unlink()  # copies of an older database from before its migration
        written = not config.exists()
        if written:
            make_folder(config.parent)
            _checked(folder / CONFIG, config, files[CONFIG], mode=0o640)
            for name in DEFAULT_FOLDERS.keys() - {"state"}:
                make_folder(resolved(_named(ours, name), config), mode=0o770)
        for each in {state, spool}:
            _give(each)
            sync_file_system(each)
        database.rename(state / DATABASE)
        fsync_folder(state)
        (state / RESTORING).unlink()
        fsync_folder(state)
    hidden = tuple(manifest.get("hidden", ())) if written else ()
    return PutBack(config, written, state, made(manifest), manifest["jobs"], manifest["batches"], hidden)


@contextmanager
def _faults_in_words(folder: Path, state: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
        raise CannotRestore(
            f"{folder} could not be restored into {state}: {where}{error.strerror or error}. No daemon starts on "
            "half a backup. Fix that, then run the same command again."
        ) from error


def refuse_half_restored(state: Path) -> None:
    """StateUnusable if a restore was cut off: a daemon that started here would not know what was paid for."""
    if (state / RESTORING).exists():
        raise StateUnusable(
            f"A restore into {state} was cut off. Run the same batchd restore again; it starts from the beginning."
        )


def _named(config: Path, name: str) -> str:
    folders = read_toml(config).data.get("folders", {})
    return str(folders.get(name) or DEFAULT_FOLDERS.get(name, ""))


def _require_empty(state: Path, spool: Path) -> None:
    """CannotRestore unless both are empty, or hold only what a restore that was cut off has left."""
    if (state / RESTORING).exists():
        return
    for folder in dict.fromkeys([state, spool]):
        there = sorted(each.name for each in folder.iterdir()) if folder.is_dir() else []
        there = [name for name in there if name not in _OF_NO_JOB and not is_empty(folder / name)]
        if there:
            names = ", ".join(there[:5]) + (" and others" if len(there) > 5 else "")
            raise CannotRestore(
                f"The state folder {folder} is not empty: {names}. Nothing was restored, since what is there may be "
                "paid for. Move it aside, or name another folder with [folders] state in the configuration."
            )


def _clear(state: Path, spool: Path) -> None:
    for each in [*state.iterdir(), *(spool / name for name in ("jobs", "batches", "tries"))]:
        if each.is_dir() and not each.is_symlink():
            shutil.rmtree(each)
        elif each.name not in _OF_NO_JOB:
            each.unlink(missing_ok=True)


def _require_whole(folder: Path, files: Mapping[str, Any]) -> None:
    """CannotRestore unless each file is there with its size: a partial copy is found before anything is changed."""
    wrong = [name for name, (size, _) in sorted(files.items()) if _size(folder / name) != size]
    if wrong:
        raise CannotRestore(
            f"{folder} is not whole: {len(wrong):,} of its {len(files):,} files are missing or cut off, such as "
            f"{wrong[0]}. Copy the backup again, or take another. Nothing was restored."
        )


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        return None


def _copy(folder: Path, name: str, state: Path, database: Path, expected: tuple[int, str]) -> None:
    inside = name.removeprefix(f"{STATE}/")
    target = database if inside == DATABASE else Path(os.path.normpath(state / inside))
    if state not in target.parents:
        raise CannotRestore(f"backup.json in {folder} names a file outside of it: {name}. Nothing was restored.")
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _checked(folder / name, target, expected, mode=0o600)


def _checked(source: Path, target: Path, expected: tuple[int, str], *, mode: int) -> None:
    """Copy a file. CannotRestore if it is not the one that was backed up."""
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
    try:
        with os.fdopen(descriptor, "wb") as copy:
            found = copied(source, copy)
    except FileNotFoundError:
        raise CannotRestore(
            f"The backup lacks {source}. No daemon starts on what was restored; use another backup."
        ) from None
    if found != tuple(expected):
        raise CannotRestore(
            f"{source} is not the file that was backed up: it was changed or damaged since. Use another backup."
        )


def _give(state: Path) -> None:
    """If root restores, give all files to the owner of the folder, or of the one above: its daemon must own them."""
    if os.geteuid() != 0:
        return
    status = state.stat()
    owner = status if status.st_uid else state.parent.stat()
    if owner.st_uid:
        for each in (state, *state.rglob("*")):
            os.chown(each, owner.st_uid, owner.st_gid, follow_symlinks=False)
