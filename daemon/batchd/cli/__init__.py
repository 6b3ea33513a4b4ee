"""The command line: one module a command, imported when it is asked for.

`batchd status` must start at once, so modules here import nothing heavier than click at their top. A command imports
the rest when it runs.
"""

from __future__ import annotations
