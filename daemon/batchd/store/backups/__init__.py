"""Backups of the state folder: the database and its files as they are at one moment, and how they are put back."""
