"""What all text has in common: whether a file is text, its encoding, and lines of it."""

from __future__ import annotations
