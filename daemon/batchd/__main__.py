"""`batchd` and `python -m batchd`.

Worker processes import this module again, so nothing happens here unless called.
"""

from __future__ import annotations

import gc
import sys


def main() -> int:
    """The command line; the exit status."""
    # Imports make 300,000 objects that stay: by default they are looked through for cycles every 700 new ones, which
    # takes a sixth of the time. A daemon that has started looks more often.
    gc.set_threshold(400_000)
    try:
        from .cli.ending import run

        return run()
    except KeyboardInterrupt:
        return 130
    finally:
        # Or the interpreter looks for cycles among all that the SDK has made before it ends: a quarter of a second.
        gc.freeze()


if __name__ == "__main__":
    sys.exit(main())
