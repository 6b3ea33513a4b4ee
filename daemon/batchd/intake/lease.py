"""A hint whether somebody still has a file open for writing, from the kernel's file leases.

It told an scp in flight and a frozen SMB upload from finished ones, where size and time had stood still for seconds.
It knows only writers on this machine, needs us to own the file or CAP_LEASE, and NFS servers keep files open after
their client is through. So it may delay, never decide.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import signal
from pathlib import Path


def held_open_for_writing(path: Path) -> bool | None:
    """True if some process has it open for writing, False if none has, None if it cannot be told."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except BlockingIOError:
        return True  # a file server holds a lease of its own for a client that may have more to write
    except OSError:
        return None
    try:
        # A program that opens the file for writing while we hold the lease makes the kernel signal us: with
        # SIGIO, which kills. SIGURG is ignored unless someone asks for it. If it cannot be set, there is no lease.
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        return True if error.errno == errno.EAGAIN else None
    else:
        with contextlib.suppress(OSError):
            fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        return False
    finally:
        os.close(descriptor)
