"""Names of files in the state folder that other modules than the spool use."""

from __future__ import annotations

DATABASE = "batchd.db"
BLOCKED_PLUGINS = "blocked-plugins.json"
FINGERPRINT_KEY = "fingerprint.key"
LOCK = "lock"
"""Held by the kernel while a daemon runs; its number is in it."""
WEB_TOKENS = "web-tokens.json"
"""Fingerprints of the tokens of the page, by what each lets people do."""
RESTORING = "restoring"
"""There while a backup is put back. Nothing works on the state folder until that is whole."""
BACKING_UP = "backup"
"""The links of a backup that is being made."""
