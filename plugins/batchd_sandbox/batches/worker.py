"""The worker process: reads one job per line from its standard input and answers each with a line.

It is a separate process so that the server keeps answering while a large file is read. It ends with the server, even
if that is killed, since its standard input then closes.
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
from .worker_messages import ExecuteJob, Reply


def main() -> None:
    """Works until standard input ends."""
    # Ctrl-C in the terminal reaches the whole process group; only the server acts on it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    jobs: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_listen, args=(jobs,), name="listening", daemon=True).start()
    decode = msgspec.json.Decoder(ExecuteJob).decode
    while True:
        line = jobs.get()
        try:
            reply: Reply = execute(decode(line))
        except Exception as reason:  # noqa: BLE001 - the batch reports the error and the worker continues
            traceback.print_exc()
            reply = f"{type(reason).__name__}: {reason}"
        sys.stdout.buffer.write(msgspec.json.encode(reply) + b"\n")
        sys.stdout.buffer.flush()


def _listen(jobs: SimpleQueue[bytes]) -> None:
    for line in sys.stdin.buffer:
        jobs.put(line)
    # Exit at once, even during a job: the worker of the next server may already execute the same batch.
    os._exit(0)


if __name__ == "__main__":
    main()
