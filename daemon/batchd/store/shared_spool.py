"""A spool outside the state folder, on a file system that other machines see as well.

Such a folder can go away while the daemon runs. It leaves an empty mount point, which must not be written to. So the
spool has a mark that only this state knows, and batchd checks it before it makes or removes anything there.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
import stat
from pathlib import Path
from typing import IO

from ..errors import StateUnusable
from ..files import fsync_folder, make_folder, replacing

MARK = "spool-of"
"""A file: in the spool it names the state, in the state folder it names the spool."""


def take(state: Path, root: Path) -> None:
    """At the start, make sure that the spool is there, is ours, is private, and supports what batchd does in it."""
    ours = _read(state / MARK)
    if root == state:
        if ours is not None and Path(ours["spool"]) != state:
            raise StateUnusable(
                f"The working files of this state are in {ours['spool']}, and the configuration does not say so any "
                "more. Put [folders] spool back. To move them: stop batchd, move jobs and batches of that folder to "
                f"{state}, and delete {state / MARK}."
            )
        return
    for name in ("jobs", "batches"):
        with contextlib.suppress(OSError):
            if any((state / name).iterdir()):
                raise StateUnusable(
                    f"{state / name} still has working files, but [folders] spool is {root} now. While no batchd "
                    f"runs, move them there: mv '{state / name}' '{root}/'"
                )
            (state / name).rmdir()
    if ours is not None and ours["spool"] != str(root):
        moved = f"move all of that folder to {root} and delete {state / MARK}"
        raise StateUnusable(
            f"The working files of this state are in {ours['spool']}, and [folders] spool is {root} now. Put it back; "
            f"or, while no batchd runs, {moved}."
        )
    if ours is not None:
        require(state, root)
    make_folder(root, mode=0o700)
    require_private(root)
    require_posix(root)
    theirs = _read(root / MARK)
    if ours is None:
        ours = {
            "id": theirs["id"] if theirs is not None and _of(theirs, state) else secrets.token_hex(8),
            "spool": str(root),
        }
    if theirs is not None and theirs["id"] != ours["id"]:
        raise StateUnusable(
            f"The spool {root} belongs to another batchd, whose state is {theirs.get('state', 'not known')} on "
            f"{theirs.get('host', 'a machine that is not known')}. Give each its own. If that state is gone for good: "
            f"delete {root / MARK}, and see: batchd state adopt"
        )
    if theirs is None:
        # Mark the spool first: a state that names a spool expects that spool's mark to be there.
        _write(root / MARK, {"id": ours["id"], "state": str(state), "host": os.uname().nodename})
    _write(state / MARK, ours)
    for name in ("jobs", "batches"):
        make_folder(root / name, mode=0o700)


def check_spool(state: Path, root: Path) -> None:
    """Check the spool for `batchd check`. Raise StateUnusable, or OSError if it is not there. Change nothing."""
    if (state / MARK).exists():
        require(state, root)
    if stat.S_IMODE(root.stat().st_mode) & 0o077:
        raise _open_to_others(root)
    require_posix(root)


def require(state: Path, root: Path) -> None:
    """Raise OSError with a reason unless the spool of this state is there."""
    if root == state:
        return
    ours, theirs = _read(state / MARK), _read(root / MARK)
    if ours is None or theirs is None or ours["id"] != theirs["id"]:
        raise FileNotFoundError(
            errno.ENOENT, "the spool is not there (is its file system mounted?); nothing is lost", str(root)
        )


def require_private(root: Path) -> None:
    """Make the spool private: it has all rows and all answers. Raise StateUnusable if that fails."""
    mode = stat.S_IMODE(root.stat().st_mode)
    if mode & 0o077:
        with contextlib.suppress(OSError):
            root.chmod(0o700)
        mode = stat.S_IMODE(root.stat().st_mode)
    if mode & 0o077:
        raise _open_to_others(root)


def require_posix(root: Path) -> None:
    """Raise StateUnusable unless files in `root` can be written, appended to, synced, renamed and linked."""
    draft, file, link = (root / f".check-{secrets.token_hex(6)}.{step}" for step in ("draft", "file", "link"))

    what = "write a file and sync it"
    try:
        with draft.open("xb") as opened:
            _write_synced(opened, b"one\n")
        what = "append to a file"
        with draft.open("ab") as opened:
            _write_synced(opened, b"two\n")
        _expect(draft.read_bytes() == b"one\ntwo\n")
        what = "rename a file over another"
        file.write_bytes(b"before")
        draft.rename(file)
        with file.open("rb") as opened:
            opened.seek(4)
            _expect(opened.read() == b"two\n")
        _expect(not draft.exists())
        what = "give a file a second name (link)"
        os.link(file, link)
        _expect(link.read_bytes() == b"one\ntwo\n")
        what = "sync a folder"
        fsync_folder(root)
    except OSError as error:
        raise StateUnusable(
            f"The spool {root} cannot be used: to {what} there fails ({error.strerror or error}). It must be "
            "on a file system of POSIX rules that all machines mount, such as NFS 4 or CephFS."
        ) from None
    finally:
        for each in (draft, file, link):
            with contextlib.suppress(OSError):
                each.unlink(missing_ok=True)


def _write_synced(file: IO[bytes], content: bytes) -> None:
    file.write(content)
    file.flush()
    os.fsync(file.fileno())


def _open_to_others(root: Path) -> StateUnusable:
    mode = stat.S_IMODE(root.stat().st_mode)
    return StateUnusable(
        f"Other users can read the spool {root} (its mode is {mode:04o}), which has all rows and all answers. "
        f"Make it private: chmod 0700 '{root}', or mount it so."
    )


def _expect(held: bool) -> None:
    if not held:
        raise OSError(errno.EIO, "what was written is not what is read")


def _of(mark: dict[str, str], state: Path) -> bool:
    """Whether this state left the mark itself, at a start that was interrupted before the state noted its spool."""
    return mark.get("state") == str(state) and mark.get("host") == os.uname().nodename


def _read(path: Path) -> dict[str, str] | None:
    try:
        mark = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return mark if isinstance(mark, dict) and "id" in mark else None


def _write(path: Path, mark: dict[str, str]) -> None:
    with replacing(path, mode=0o600) as file:
        file.write(json.dumps(mark, indent=2).encode() + b"\n")
