"""A process that has imported all of batchd and forks daemons, so that a life of one costs a tenth of a second.

Most of a daemon's start is importing. A thousand lives are bearable only if that is done once. What is forked does
all that `python -m batchd` does after its imports, in a process group of its own.

Reads one JSON request a line, answers each with one line: `["start", arguments, log, stopped]` with the child's
process id (`stopped`, it waits for SIGCONT before it does anything), `["poll", child]` with how it ended or `null`.
After `stopped` there may be a file for its errors, a working folder and an environment, each in place of `log` and of
what this process has.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import json
import os
import pkgutil
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from importlib import import_module
from multiprocessing import util

from batchd.workers.fork_server import start_fork_server

PACKAGES = ("batchd", "batchd_anthropic", "batchd_files", "batchd_inline", "batchd_notify")
PACKAGES += ("batchd_openai", "batchd_prompts", "batchd_sandbox", "batchd_tables")
LEFT_OUT = ("batchd.__main__", "batchd.testing")
LEFT_OUT += tuple(f"batchd_anthropic.{each}" for each in ("client", "errors", "finding", "live"))
"""The last of these import a large package that few tests use."""
BESIDES = (
    # What daemons would import where they need it: for their calls, and for the process that forks their workers.
    "anyio._backends._asyncio",
    "httpcore2",
    "jinja2.sandbox",
    "multiprocessing.forkserver",
    "multiprocessing.popen_forkserver",
    "multiprocessing.resource_tracker",
    "multiprocessing.spawn",
)
WITH_WORKERS = ("once", "run")

# Where only ancestors may trace (yama), let anybody; without yama the call fails and changes nothing.
_SET_PTRACER, _ANY = 0x59616D61, ctypes.c_ulong(-1)
_SET_PDEATHSIG = 1


def become(
    born: int,
    arguments: list[str],
    log: str,
    stopped: bool,
    errors: str | None = None,
    folder: str | None = None,
    environment: dict[str, str] | None = None,
) -> None:
    """What `python -m batchd` would be, with its output in `log`."""
    os.setsid()
    os.close(born)
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
    complaints = os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640) if errors else os.dup(target)
    nothing = os.open(os.devnull, os.O_RDWR)
    for ours, standard in ((nothing, 0), (target, 1), (complaints, 2)):
        os.dup2(ours, standard)
    os.close(nothing)
    os.close(target)
    os.close(complaints)
    if folder:
        os.chdir(folder)
    if environment is not None:
        os.environ.clear()
        os.environ.update(environment)
    system = ctypes.CDLL(None)
    system.prctl(_SET_PTRACER, _ANY, 0, 0, 0)
    # Tests that are interrupted leave no daemons behind.
    system.prctl(_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # Worker processes import the main module anew: it must be batchd's.
    main = import_module("batchd.__main__")
    sys.modules["__main__"] = main
    sys.argv = ["batchd", *arguments]
    if stopped:
        os.kill(os.getpid(), signal.SIGSTOP)
    elif any(word in WITH_WORKERS for word in arguments):
        fork_fork_server()
    try:
        status = main.main()
    except SystemExit as end:
        if isinstance(end.code, str):
            raise
        status = end.code or 0
    leave(status)


def leave(status: int) -> None:
    """End as Python does, but do not take apart all that was imported: that would copy it first, a third of a short life."""
    threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001  # what Python calls first of all
    atexit._run_exitfuncs()  # noqa: SLF001  # and then
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status)


def fork_fork_server() -> None:
    """Start the process that forks the workers as a fork of this one, which has no threads yet and imported it all."""
    started, util.spawnv_passfds = util.spawnv_passfds, forked
    try:
        start_fork_server()
    finally:
        util.spawnv_passfds = started


def forked(_program: object, arguments: Sequence[str | bytes], kept: Sequence[int]) -> int:
    """As spawnv_passfds, which executes `python -c CODE`: here it is a fork that runs the code."""
    child = os.fork()
    if child == 0:
        for descriptor in map(int, os.listdir("/proc/self/fd")):
            if descriptor > 2 and descriptor not in kept:
                with contextlib.suppress(OSError):
                    os.close(descriptor)
        try:
            exec(arguments[-1], {})
        finally:
            os._exit(0)
    return child


def imported() -> Iterator[str]:
    """All modules of batchd but the test kit, and what else most lives import."""
    for package in PACKAGES:
        for module in pkgutil.walk_packages(import_module(package).__path__, f"{package}."):
            if not module.name.startswith(LEFT_OUT):
                yield module.name
    yield from BESIDES


def main() -> None:
    """Until nobody asks any more."""
    for module in imported():
        import_module(module)
    # What is forked need not look for garbage in all of this.
    gc.collect()
    gc.freeze()
    ended: dict[int, int] = {}
    print("ready", flush=True)
    for line in sys.stdin:
        what, *rest = json.loads(line)
        if what == "start":
            grouped, born = os.pipe()
            child = os.fork()
            if child == 0:
                os.close(grouped)
                become(born, *rest)
            os.close(born)
            # Nobody is told of a child that has no process group yet: a signal to the group would not find it.
            os.read(grouped, 1)
            os.close(grouped)
            # Process numbers come round: this is not the one of that number that ended earlier.
            ended.pop(child, None)
            print(child, flush=True)
            continue
        [child] = rest
        if child not in ended:
            found, status = os.waitpid(child, os.WNOHANG)
            if found:
                ended[child] = os.waitstatus_to_exitcode(status)
        print(json.dumps(ended.get(child)), flush=True)


if __name__ == "__main__":
    main()
