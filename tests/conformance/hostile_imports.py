"""A plugin whose import loads a package that only its object may need."""

from __future__ import annotations

import hypothesis

from .good_plugins import TabReader


class Heavy(TabReader):
    """Slows down everyone who imports it."""

    fails = "test_importing_it_is_cheap"
    needed = hypothesis
