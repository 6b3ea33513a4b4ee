"""The command line: one module for each command, imported when the command is called.

`showing` and `checking` hold what these modules share. `batchd status` must start at once, so modules here import
nothing heavier than click at their top. A command imports the rest when it runs.
"""

from __future__ import annotations
