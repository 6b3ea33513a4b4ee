"""Imported first by the process that forks the workers. Imports stay, so they are not searched for cycles."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from multiprocessing import forkserver

from ..money import tokens

gc.set_threshold(400_000)
if getattr(sys.modules["__main__"], "main", None) is forkserver.main:
    # As the daemon does, leave the memory to the system: freeing each object takes a tenth of a second.
    atexit.register(os._exit, 0)
# Workers share one vocabulary instead of loading one each.
tokens.load(tokens.STAND_IN)
