"""Plugins: finds and imports them, collects what they offer, checks their settings."""
