"""A process that forks children which stop before they act, so that strace can be put on them first.

Starting an interpreter for each of hundreds of kills takes minutes, and its own system calls would be counted.
Reads one JSON list of arguments a line, answers with the child's process id, then with how it ended.
"""

import ctypes
import json
import os
import signal
import sys
from pathlib import Path

from batchd.delivery.archive import move, write_why
from batchd.intake.claiming import claim

# Where only ancestors may trace (yama), let anybody; without yama the call fails and changes nothing.
_SET_PTRACER, _ANY = 0x59616D61, ctypes.c_ulong(-1)


def act(action: str, *arguments: str) -> None:
    if action == "claim":
        inbox, relative, stamp, target, job = arguments
        claim(Path(inbox), relative, tuple(stamp), Path(target), job)
    elif action == "move":
        source, target = arguments
        move(Path(source), Path(target))
    elif action == "why":
        target, text = arguments
        write_why(Path(target), text)
    else:
        raise ValueError(action)


def main() -> None:
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            ctypes.CDLL(None).prctl(_SET_PTRACER, _ANY, 0, 0, 0)
            arguments = json.loads(line)
            os.kill(os.getpid(), signal.SIGSTOP)
            try:
                act(*arguments)
            except OSError:
                os._exit(1)
            os._exit(0)
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


main()
