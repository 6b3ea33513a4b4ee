"""Whether a file is text, and its encoding; and the reader of plain lines."""

from __future__ import annotations
