"""The faults that can be ordered: their table, how they are written, and which calls and lines they apply to."""

from __future__ import annotations
