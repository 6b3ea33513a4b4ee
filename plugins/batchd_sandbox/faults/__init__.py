"""The faults that can be ordered: their table, how they are written, and whom they meet."""

from __future__ import annotations
