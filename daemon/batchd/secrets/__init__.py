"""Secrets: every string that comes from outside and may hold one passes here. Nobody else resolves or covers a key."""
