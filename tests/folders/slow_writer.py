"""Writes a file slowly, in a process of its own, in one of the ways that programs do.

    python slow_writer.py MANNER TARGET ROWS CHUNKS PAUSE

Prints the longest time it has left the file alone before it was whole, by the clock that a daemon settles by.
`held` keeps the file open between chunks; `appended` opens and closes it for each; `filepart` and `rsync` write under
names that those programs use, and rename; `inplace` writes over a file that is there, as `rsync --inplace` does.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path


def clock() -> float:
    """Seconds, those included that the machine stood still."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def main() -> None:
    """As the arguments say."""
    manner, name, rows, pieces, pause = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5])
    target = Path(name)
    tag = target.stem
    lines = ["id,review\n", *(f"{tag}-{row},review {row} of {tag} was good\n" for row in range(rows))]
    text = "".join(lines).encode()
    # Cut anywhere, in the middle of a row too.
    step = -(-len(text) // pieces)
    chunks = [text[start : start + step] for start in range(0, len(text), step)]
    longest, last = 0.0, clock()

    def paused() -> None:
        nonlocal longest, last
        time.sleep(pause)
        longest, last = max(longest, clock() - last), clock()

    place = {
        "filepart": target.with_name(f"{target.name}.filepart"),
        "rsync": target.with_name(f".{target.name}.Xy3Zq9"),
    }.get(manner, target)
    if manner == "appended":
        for chunk in chunks:
            with place.open("ab") as file:
                file.write(chunk)
            paused()
    else:
        flags = os.O_WRONLY | os.O_CREAT | (0 if manner == "inplace" else os.O_EXCL)
        descriptor = os.open(place, flags, 0o644)
        for chunk in chunks:
            os.write(descriptor, chunk)
            paused()
        if manner == "inplace":
            os.ftruncate(descriptor, len(text))
        os.close(descriptor)
    if place != target:
        place.rename(target)
    print(longest, flush=True)


if __name__ == "__main__":
    main()
