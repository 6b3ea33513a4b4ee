"""How the files of the state folder are called that others than the spool need to know."""

from __future__ import annotations

DATABASE = "batchd.db"
BLOCKED_PLUGINS = "blocked-plugins.json"
FINGERPRINT_KEY = "fingerprint.key"
LOCK = "lock"
"""Held by the kernel while a daemon runs; its number is in it."""
