"""JSON: lists of objects, and an object a line."""

from __future__ import annotations
