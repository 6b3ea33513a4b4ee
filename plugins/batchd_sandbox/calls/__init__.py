"""The calls over HTTP: files, batches, live answers, and the sandbox's own."""

from __future__ import annotations
