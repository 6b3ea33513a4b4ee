"""The command line: one module a command, imported when it is asked for. What they share is in `showing`, `checking`.

`batchd status` must start at once, so modules here import nothing heavier than click at their top. A command imports
the rest when it runs.
"""

from __future__ import annotations
