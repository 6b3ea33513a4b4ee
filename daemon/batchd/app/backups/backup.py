"""Backs up what a daemon works on into a folder, while it runs. The folder appears whole or not at all."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any, Final

from ...config import toml as toml_text
from ...config.edit import without_secrets
from ...config.locations import DEFAULT_FOLDERS, resolved, state_folder
from ...errors import BatchdError
from ...files import fsync_folder, make_folder, sync_file_system
from ...plugin_base import PLUGIN_STATE
from ...store.backups.taking import CACHES, Taken, take
from ...store.layout import BACKING_UP, DATABASE
from ...system.clock import Clock

MANIFEST: Final = "backup.json"
"""What is in the backup, with the size and the SHA-256 of each file. It is written last."""
CONFIG: Final = "config.toml"
STATE: Final = "state"
FORM: Final = 1
"""The version of the manifest's form."""
_CHUNK = 1 << 20
_RIGHTS = "Run the command as the user that batchd runs as, and name a folder where that user may write."


class CannotBackUp(BatchdError):
    """Nothing was backed up; the message says why."""

    exit_status = 5


@dataclass(frozen=True, slots=True)
class Backup:
    """What was backed up, as `--json` has it. `hidden` are keys of the configuration whose secrets it leaves out."""

    folder: Path
    jobs: int
    batches: int
    files: int
    bytes: int
    hidden: tuple[str, ...]
    replaced: str | None


def back_up(config: Path, target: Path, *, force: bool = False, finished: bool = False) -> Backup:
    """Write the folder `target`. With `force`, replace an earlier backup there, and nothing else."""
    document = toml_text.read(config)
    state = state_folder(config)
    target = Path(os.path.abspath(target.expanduser()))
    folders, providers = document.data.get("folders", {}), document.data.get("providers", {})
    spool = resolved(str(folders.get("spool") or state), config)
    of_people = {name: resolved(str(folders.get(name) or each), config) for name, each in DEFAULT_FOLDERS.items()}
    _require_outside(target, {**of_people, "state": state, "spool": spool})
    before = _require_free(target, force=force)
    if not (state / DATABASE).is_file():
        raise CannotBackUp(f"There is no database in {state} yet, so there is nothing to back up.")
    draft = target.with_name(f".{target.name}.part")
    with _faults_in_words(target, state, spool), one_at_a_time(spool) as links, _draft(draft):
        at = time.time()
        (draft / STATE).mkdir(mode=0o700)
        new_key = Clock().new_id()
        taken = take(state, spool, links, draft / STATE, finished=finished, providers=tuple(providers), new_key=new_key)
        if taken is None:
            raise CannotBackUp(f"The database in {state} is only just being made. Try again in a moment.")
        _take_what_is_claimed(taken, spool, of_people["inbox"], links)
        own = [draft / STATE / name for name in (DATABASE, *CACHES)]
        files = {f"{STATE}/{path.name}": _hashed(path) for path in own if path.exists()}
        for path in sorted(each for each in links.rglob("*") if each.is_file()):
            name = f"{STATE}/{path.relative_to(links)}"
            files[name] = _hashed(path, draft / name)
        files |= _taken_of_plugins(state, draft)
        text, hidden = without_secrets(document)
        (draft / CONFIG).write_text(text, "utf-8")
        files[CONFIG] = _hashed(draft / CONFIG)
        manifest = {
            "form": FORM,
            "batchd": version("batchd"),
            "schema": taken.schema,
            "made_at": at,
            "state": str(state),
            "config": str(config),
            "jobs": taken.jobs,
            "batches": taken.batches,
            "hidden": hidden,
            "files": files,
        }
        (draft / MANIFEST).write_text(json.dumps(manifest, indent=1), "utf-8")
        # Thousands of small files: to sync each takes minutes.
        sync_file_system(draft)
        _put_in_place(draft, target)
    size = sum(each[0] for each in files.values())
    return Backup(target, taken.jobs, taken.batches, len(files), size, tuple(hidden), before)


def read_manifest(folder: Path) -> Mapping[str, Any] | None:
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
    except (OSError, ValueError):
        return None
    return manifest if isinstance(manifest, dict) and isinstance(manifest.get("files"), dict) else None


def made(manifest: Mapping[str, Any]) -> str:
    """When the backup was made, for people."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(float(manifest.get("made_at", 0.0))))


def _require_outside(target: Path, folders: Mapping[str, Path]) -> None:
    """Raise CannotBackUp if the target is in a folder of the daemon, which would mistake it, or contains one."""
    for name, folder in folders.items():
        if target == folder or folder in target.parents or target in folder.parents:
            raise CannotBackUp(
                f"{target} and the {name} folder {folder} overlap: one is inside the other. Name another folder."
            )


@contextmanager
def _faults_in_words(target: Path, state: Path, spool: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else target
        ours = any(folder == where or folder in where.parents for folder in (state, spool))
        place = f"{where}: " if ours else ""
        advice = {
            errno.ENOSPC: "Make room on its disk, or name a folder on another one.",
            errno.EDQUOT: "Make room, or name a folder on another disk.",
            errno.EROFS: "Its file system is mounted read-only: name a folder on another one.",
            errno.EACCES: _RIGHTS,
            errno.EPERM: _RIGHTS,
        }.get(error.errno or 0, "Fix that, then try again.")
        raise CannotBackUp(
            f"The backup could not be written to {target}: {place}{error.strerror or error}. Nothing is left of "
            f"it, and what was there before is as it was. {advice}"
        ) from error


def _require_free(target: Path, *, force: bool) -> str | None:
    """When the backup to be replaced was made, None if there is none. CannotBackUp if `target` must not be replaced."""
    if not os.path.lexists(target) or is_empty(target):
        return None
    manifest = None if target.is_symlink() else read_manifest(target)
    if manifest is None:
        raise CannotBackUp(f"{target} exists and is no backup, so batchd did not touch it. Name a new folder.")
    if not force:
        raise CannotBackUp(
            f"{target} is a backup of {made(manifest)}, so batchd did not touch it. Name a new folder, such as "
            f"{target.name}-{time.strftime('%Y-%m-%d')}, or replace it with --force."
        )
    return made(manifest)


@contextmanager
def one_at_a_time(spool: Path) -> Iterator[Path]:
    """Yield an empty folder for links, and remove it afterwards. What a killed backup left in it is removed first."""
    folder = spool / BACKING_UP
    folder.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The backup before this one may have removed the folder between the open and the lock.
            ours = os.path.samestat(os.fstat(descriptor), folder.stat())
        except (BlockingIOError, FileNotFoundError):
            ours = False
        if not ours:
            raise CannotBackUp(f"Another backup of {spool} is being made. Try again when it is done.")
        try:
            for each in folder.iterdir():
                shutil.rmtree(each) if each.is_dir() else each.unlink()
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(descriptor)


def clear_leftovers(spool: Path) -> None:
    """Remove the links that a killed backup has left: they keep files that a person may have purged since."""
    if (spool / BACKING_UP).exists():
        with suppress(CannotBackUp), one_at_a_time(spool):
            pass


@contextmanager
def _draft(draft: Path) -> Iterator[None]:
    make_folder(draft.parent, mode=0o700)
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    mask = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(mask)
        shutil.rmtree(draft, ignore_errors=True)


def _put_in_place(draft: Path, target: Path) -> None:
    """Rename the draft. An earlier backup is moved aside first, and deleted once the new one has its name."""
    aside = target.with_name(f".{target.name}.before")
    shutil.rmtree(aside, ignore_errors=True)
    if target.exists() and not is_empty(target):
        target.rename(aside)
    try:
        draft.rename(target)
    except OSError:
        if aside.exists():
            aside.rename(target)
        raise
    fsync_folder(target.parent)
    shutil.rmtree(aside, ignore_errors=True)


def _take_what_is_claimed(taken: Taken, spool: Path, inbox: Path, links: Path) -> None:
    """Copy files that are about to be claimed and are still in the inbox, as a claim across file systems does."""
    for job, path in taken.claiming.items():
        folder = links / "jobs" / job
        if any((folder / name).exists() for name in ("source", ".source.taken", ".source.copied")):
            continue
        for source in (inbox / os.fsdecode(path), spool / "jobs" / job / "source"):
            # Claimed since, the file is at the second path; if it is at neither, somebody has removed it.
            with suppress(FileNotFoundError):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                (folder / "name").write_bytes(path)
                shutil.copyfile(source, folder / ".source.copied", follow_symlinks=False)
                break


def _taken_of_plugins(state: Path, draft: Path) -> Mapping[str, tuple[int, str]]:
    """Copy what plugins have in folders of their own, each file as it is now. Return sizes and hashes."""
    files = {}
    for path in sorted((state / PLUGIN_STATE).rglob("*")):
        name = f"{STATE}/{path.relative_to(state)}"
        if path.is_file() and not path.is_symlink():
            with suppress(FileNotFoundError):  # the plugin may delete it
                files[name] = _hashed(path, draft / name)
    return files


def is_empty(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink() and not any(path.iterdir())


def _hashed(source: Path, target: Path | None = None) -> tuple[int, str]:
    """Return size and SHA-256 of `source`; also copy it to `target`, if given, and make the folder for it."""
    if target is not None:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(os.devnull if target is None else target, "wb") as copy:
        return copied(source, copy)


def copied(source: Path, copy: IO[bytes]) -> tuple[int, str]:
    """Write the file into `copy`; return its size and SHA-256."""
    digest, size = hashlib.sha256(), 0
    with source.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
            copy.write(chunk)
    return size, digest.hexdigest()
