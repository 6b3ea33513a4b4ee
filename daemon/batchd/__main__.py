"""`batchd` and `python -m batchd`.

Worker processes import this module anew, so nothing happens here but on call.
"""

from __future__ import annotations

import sys


def main() -> int:
    """The command line; the exit status."""
    try:
        from .cli.ending import run

        return run()
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
