"""The command line: one module a command, imported when it is asked for.

`batchd status` must start in a blink, so modules here import at their top nothing heavier than click; what a command
needs of the daemon it imports when it runs.
"""

from __future__ import annotations
