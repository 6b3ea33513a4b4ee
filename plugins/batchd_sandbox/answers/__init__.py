"""What the sandbox answers: texts by rules over word lists, and the shapes of real services."""

from __future__ import annotations
