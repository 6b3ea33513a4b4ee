"""Names of files in the state folder that other modules than the spool use."""

from __future__ import annotations

DATABASE = "batchd.db"
BLOCKED_PLUGINS = "blocked-plugins.json"
FINGERPRINT_KEY = "fingerprint.key"
LOCK = "lock"
"""Locked by the kernel while a daemon runs; contains the daemon's process id."""
WEB_TOKENS = "web-tokens.json"
"""Fingerprints of the page's tokens, by what each token allows."""
RESTORING = "restoring"
"""Exists while a backup is put back. Nothing works on the state folder until the backup is whole."""
BACKING_UP = "backup"
"""The links of a backup that is being made."""
