"""First of what the process imports that forks the workers: that stays, and is not looked through for cycles."""

from __future__ import annotations

import gc

gc.set_threshold(400_000)
