"""What `batchd check` looks at: a module a subject, which yields results with how to fix what is wrong."""

from __future__ import annotations
