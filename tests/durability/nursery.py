"""A process that has imported all of batchd and forks daemons, so that a life of one costs a tenth of a second.

Most of a daemon's start is importing. A thousand lives are bearable only if that is done once. What is forked does
all that `python -m batchd` does after its imports, in a process group of its own. Where that would start one more Python
for code of batchd, such as the process in which plugins are tried, it forks, too.

Reads one JSON request a line, answers each with one line: `["start", arguments, log, stopped]` with the child's
process id (`stopped`, it waits for SIGCONT before it does anything), `["poll", child]` with how it ended or `null`.
After `stopped` there may be a file for its errors, a working folder and an environment, each in place of `log` and of
what this process has. `["alone", arguments, log, errors, folder, environment]` is a Python for code of batchd.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import json
import os
import pkgutil
import select
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from importlib import import_module
from multiprocessing import util
from typing import Any

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
ALONE = ("batchd.config.checking.rehearsing", "batchd_sandbox.batches.worker")
"""What batchd runs with a Python of its own."""

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
    """What `python -m batchd` would be, with its output in `log`. If that is a terminal, it is the one of its session."""
    os.setsid()
    target = os.open(log, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o640)
    complaints = os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640) if errors else os.dup(target)
    source = os.dup(target) if os.isatty(target) else os.open(os.devnull, os.O_RDWR)
    for ours, standard in ((source, 0), (target, 1), (complaints, 2)):
        os.dup2(ours, standard)
        os.close(ours)
    os.close(born)
    # Those of this process know what it had there: whether it was a terminal, or a file in which one can seek.
    sys.stdin, sys.stdout = os.fdopen(0, closefd=False), os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)
    if folder:
        os.chdir(folder)
    if environment is not None:
        os.environ.clear()
        os.environ.update(environment)
    system = ctypes.CDLL(None)
    system.prctl(_SET_PTRACER, _ANY, 0, 0, 0)
    # Tests that are interrupted leave no daemons behind.
    system.prctl(_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    subprocess.Popen = Begun  # type: ignore[misc]
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


def work_alone(
    born: int, arguments: Sequence[str], log: str, errors: str, folder: str, environment: dict[str, str]
) -> None:
    """What Python would do with these arguments, for a process that is no fork of this one."""
    for path, standard in ((os.devnull, 0), (log, 1), (errors, 2)):
        target = os.open(path, os.O_RDONLY if standard == 0 else os.O_WRONLY | os.O_APPEND)
        os.dup2(target, standard)
        os.close(target)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    os.setsid()
    os.close(born)
    ctypes.CDLL(None).prctl(_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    run_alone(arguments)


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


class Forked:
    """A fork that runs a module or code, with what batchd uses of subprocess.Popen."""

    def __init__(self, arguments: Sequence[str], stdin: object, stdout: object, stderr: Any) -> None:
        child_reads, we_write = os.pipe() if stdin == subprocess.PIPE else (0, -1)
        we_read, child_writes = os.pipe() if stdout == subprocess.PIPE else (-1, 1)
        self.pid = os.fork()
        if self.pid == 0:
            kept = (child_reads, child_writes, stderr.fileno() if stderr is not None else 2)
            for number, descriptor in enumerate(kept):
                os.dup2(descriptor, number)
            signal.set_wakeup_fd(-1)
            run_alone(arguments)
        self.returncode: int | None = None
        for descriptor in {child_reads, child_writes} - {0, 1}:
            os.close(descriptor)
        self.stdin = os.fdopen(we_write, "wb") if we_write >= 0 else None
        self.stdout = os.fdopen(we_read, "rb") if we_read >= 0 else None

    def poll(self) -> int | None:
        """How it ended, if it has."""
        if self.returncode is None:
            found, status = os.waitpid(self.pid, os.WNOHANG)
            self.returncode = os.waitstatus_to_exitcode(status) if found else None
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """How it ended, once it has."""
        if self.poll() is None:
            handle = os.pidfd_open(self.pid)
            ended, _, _ = select.select([handle], [], [], timeout)
            os.close(handle)
            if not ended:
                raise subprocess.TimeoutExpired("a fork", timeout or 0.0)
        status = self.poll()
        assert status is not None
        return status

    def kill(self) -> None:
        """kill -9."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)


def run_alone(arguments: Sequence[str]) -> None:
    """What Python does with `-c CODE ARGUMENT…` or `-P -m MODULE`, in a fork; ends the process."""
    status = 1
    try:
        for descriptor in map(int, os.listdir("/proc/self/fd")):
            if descriptor > 2:
                with contextlib.suppress(OSError):
                    os.close(descriptor)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, signal.SIG_DFL)
        sys.stdin = os.fdopen(0, closefd=False)
        if arguments[0] == "-c":
            sys.argv = ["-c", *arguments[2:]]
            exec(arguments[1], {"__name__": "__main__"})
        else:
            import_module(arguments[-1]).main()
        status = 0
    except BaseException:  # it ends here
        traceback.print_exc()
    finally:
        os._exit(status)


EXECUTED = subprocess.Popen


class Begun(subprocess.Popen[bytes]):
    """As subprocess.Popen; one more Python for code of batchd is a fork, unless a thread might hold something then."""

    def __new__(cls, command: Sequence[str], *_: Any, **options: Any) -> Any:
        ours = command[0] == sys.executable and any(module in word for word in command[2:4] for module in ALONE)
        if not ours or threading.active_count() > 1:
            return super().__new__(cls)
        return Forked(command[1:], options.get("stdin"), options.get("stdout"), options.get("stderr"))


def imported() -> Iterator[str]:
    """All modules of batchd but the test kit, and what else most lives import."""
    for package in PACKAGES:
        for module in pkgutil.walk_packages(import_module(package).__path__, f"{package}."):
            if not module.name.startswith(LEFT_OUT):
                yield module.name
    yield from BESIDES


def main() -> None:
    """Serve requests until the caller closes the pipe."""
    for module in imported():
        import_module(module)
    # What is forked need not look for garbage in all of this.
    gc.collect()
    gc.freeze()
    ended: dict[int, int] = {}
    print("ready", flush=True)
    for line in sys.stdin:
        what, *rest = json.loads(line)
        if what in {"start", "alone"}:
            grouped, born = os.pipe()
            child = os.fork()
            if child == 0:
                os.close(grouped)
                (become if what == "start" else work_alone)(born, *rest)
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
