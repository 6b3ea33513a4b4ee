"""Reads and writes tables as text: cells between delimiters, in the forms that people and programs use."""

from __future__ import annotations
