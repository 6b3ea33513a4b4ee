"""What `batchd check` looks at: one module per subject. Results say how to fix what is wrong."""

from __future__ import annotations
