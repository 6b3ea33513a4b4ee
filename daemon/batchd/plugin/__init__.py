"""Plugins: where they come from, what they offer, and whether their settings are right."""
