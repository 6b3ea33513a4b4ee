"""Tables as text: cells between delimiters, read as people and programs write them, and written so."""

from __future__ import annotations
