"""What is installed on a machine, and whether workers there would do the same as those here."""

from __future__ import annotations

import hashlib
import os
import socket
import stat
import sys
import tempfile
from importlib.metadata import distributions
from pathlib import Path

from ..executor import Hello, Node
from ..files import replacing
from ..values import replace

MARK = ".hello"
"""A file in the spool: a machine that reads in it what the daemon has written sees the same folder."""


def ask_for(plugin_dir: Path | None, disabled: frozenset[str], spool: Path, *, marking: bool) -> Hello:
    """What a daemon of this installation asks machines. `marking` leaves a mark in a spool that has none."""
    folder = str(plugin_dir) if plugin_dir is not None else None
    here = replace(describe_node(Hello(Node("", "", ""), folder, disabled)), fault="")
    return Hello(here, folder, disabled, str(spool), _mark(spool, write=marking), private=_is_private(spool))


def describe_node(hello: Hello, name: str = "", *, slots: int = 0) -> Node:
    """What is installed on this machine, with the `fault` that keeps it from being used. Called on each node."""
    from .. import __version__

    node = Node(
        name=name or socket.gethostname(),
        batchd=__version__,
        python=f"{sys.version_info.major}.{sys.version_info.minor}",
        plugins=_plugins(hello.disabled),
        plugin_files=_hash(hello.plugin_dir),
        slots=slots,
    )
    return replace(node, fault=difference(node, hello) or _fault_of_spool(hello))


def difference(node: Node, hello: Hello) -> str:
    """What differs there from here, and what to do; empty if nothing does."""
    here = hello.here
    if not here.batchd:
        return ""  # the daemon describes its own machine
    if node.batchd != here.batchd:
        return f"it has batchd {node.batchd}, and the daemon has {here.batchd}. Install the same there."
    if node.python != here.python:
        return f"it has Python {node.python}, and the daemon has {here.python}. Use the same there."
    for plugin in sorted({*node.plugins, *here.plugins}):
        there, ours = node.plugins.get(plugin), here.plugins.get(plugin)
        if there == ours:
            continue
        if there is None:
            return f"it does not have the plugin {plugin} {ours}. Install it there."
        if ours is None:
            return f"it has the plugin {plugin} {there}, which the daemon does not have. Remove it there."
        return f"it has {plugin} {there}, and the daemon has {ours}. Install the same there."
    if node.plugin_files != here.plugin_files:
        if not node.plugin_files:
            return f"the plugin_dir {hello.plugin_dir} is not there. Copy it there as it is, or share it."
        return (
            f"the plugin_dir {hello.plugin_dir} has other files than those that the daemon has read. Copy it there as "
            "it is, or share it; if it was changed here as well, reload batchd."
        )
    return ""


def _fault_of_spool(hello: Hello) -> str:
    if not hello.mark or hello.spool is None:
        return ""
    spool = Path(hello.spool)
    try:
        found = (spool / MARK).read_text()
        if found == hello.mark:
            if hello.private and not _is_private(spool):
                return f"other users can read {spool} there. Mount it so that its mode is 0700."
            with tempfile.TemporaryFile(dir=spool) as file:
                file.write(b"batchd")
                file.flush()
            return ""
    except OSError as error:
        return (
            f"it cannot use the folder of the working files, {spool}: {error.strerror or error}. Mount it there at the "
            "same path, for the user that its workers run as."
        )
    return f"another folder than the daemon's is at {spool} there. Mount the same one, at the same path."


def _is_private(folder: Path) -> bool:
    return folder.exists() and not stat.S_IMODE(folder.stat().st_mode) & 0o077


def _plugins(disabled: frozenset[str]) -> dict[str, str]:
    found = {}
    for distribution in distributions():
        names = {point.name for point in distribution.entry_points if point.group == "batchd"}
        name = distribution.metadata["Name"]
        if names and name not in disabled and not names <= disabled:
            found[name] = distribution.version
    return found


def _hash(folder: str | None) -> str:
    """A hash of the names and contents of the folder's files, except those that Python compiles or editors leave."""
    if folder is None or not os.path.isdir(folder):
        return ""
    digest = hashlib.sha256()
    for path in sorted(Path(folder).rglob("*")):
        name = path.relative_to(folder)
        if "__pycache__" in name.parts or any(part.startswith(".") for part in name.parts) or not path.is_file():
            continue
        content = path.read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def _mark(spool: Path, *, write: bool) -> str:
    """The mark of the spool, which the first daemon writes."""
    path = spool / MARK
    try:
        if write and not path.exists():
            with replacing(path, mode=0o600) as file:
                file.write(os.urandom(8).hex().encode())
        return path.read_text()
    except OSError:
        return ""  # the spool is missing, for now or still, which is reported elsewhere
