"""A hint whether a program still has a file open for writing, from the kernel's file leases.

In tests it recognised an scp in progress and a frozen SMB upload, whose size and time had not changed for seconds. But
it sees only writers on this machine, needs ownership of the file or CAP_LEASE, and NFS servers keep files open after
their client has finished. So it may delay a file, never decide about it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import signal
from pathlib import Path


def held_open_for_writing(path: Path) -> bool | None:
    """True if some process has the file open for writing, False if none has, None if that is not known."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except BlockingIOError:
        return True  # a file server has a lease of its own for a client that may have more to write
    except OSError:
        return None
    try:
        # If a program opens the file for writing during the lease, the kernel signals us: by default with SIGIO, which
        # kills. SIGURG is ignored unless a handler is set. If it cannot be set, batchd takes no lease.
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
