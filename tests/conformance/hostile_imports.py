"""A plugin whose import brings in what only its object may need."""

from __future__ import annotations

import hypothesis

from .good_plugins import TabReader


class Heavy(TabReader):
    """Would have everybody pay for what it needs."""

    fails = "test_importing_it_is_cheap"
    needed = hypothesis
