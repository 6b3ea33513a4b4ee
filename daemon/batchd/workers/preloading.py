"""First of what the process imports that forks the workers: that stays, and is not looked through for cycles."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from multiprocessing import forkserver

from ..money import tokens

gc.set_threshold(400_000)
if getattr(sys.modules["__main__"], "main", None) is forkserver.main:
    # As the daemon does, it leaves its memory to the system: to free each object takes a tenth of a second.
    atexit.register(os._exit, 0)
# Workers share one vocabulary instead of loading one each.
tokens.load(tokens.STAND_IN)
