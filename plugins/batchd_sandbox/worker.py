"""The worker process: reads jobs from its standard input, one a line, and answers each with a line.

It is a process of its own so that the server keeps answering while a large file is read, and it ends when
the server does, however that ends: its standard input closes.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from queue import SimpleQueue

import msgspec

from .execution import execute
from .jobs import ExecuteJob, Reply


def main() -> None:
    """Works until standard input ends."""
    # An interrupt from the terminal reaches the whole group; the server is the one that decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    jobs: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_listen, args=(jobs,), name="listening", daemon=True).start()
    decode = msgspec.json.Decoder(ExecuteJob).decode
    while True:
        line = jobs.get()
        try:
            reply = Reply(executed=execute(decode(line)))
        except Exception as reason:  # noqa: BLE001 - whatever it is, the batch says so and the worker goes on
            traceback.print_exc()
            reply = Reply(failed=f"{type(reason).__name__}: {reason}")
        sys.stdout.buffer.write(msgspec.json.encode(reply) + b"\n")
        sys.stdout.buffer.flush()


def _listen(jobs: SimpleQueue[bytes]) -> None:
    for line in sys.stdin.buffer:
        jobs.put(line)
    # At once, in the middle of a job too: the next server's worker may be at the same batch already.
    os._exit(0)


if __name__ == "__main__":
    main()
