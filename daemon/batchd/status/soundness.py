"""Whether the state is sound, for all who look at it."""

from __future__ import annotations

from ..store.reading.soundness import damage as damage
from ..store.reading.soundness import unknown_folders as unknown_folders
from ..store.shared_spool import check_spool as check_spool
