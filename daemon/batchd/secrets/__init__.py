"""Secrets: resolved and covered here and nowhere else. Outside text that may hold one passes here."""
