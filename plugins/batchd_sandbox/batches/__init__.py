"""Batches from one state to the next, and the worker process that reads and writes their files."""

from __future__ import annotations
