"""Secrets: the only modules that resolve them and cover them. Outside text that may have one passes through here."""
