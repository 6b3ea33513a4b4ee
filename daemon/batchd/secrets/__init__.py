"""Secrets: the only modules that read and cover them. Text from outside that may hold one passes through here."""
