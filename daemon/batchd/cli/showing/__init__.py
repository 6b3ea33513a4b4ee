"""How commands show jobs, estimates and tries: lines for a pipe, tables and a view on a terminal."""

from __future__ import annotations
