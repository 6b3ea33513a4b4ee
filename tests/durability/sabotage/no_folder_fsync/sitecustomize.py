"""No folder is synced, though batchd asks for it."""

import os
import stat

_synced = os.fsync


def _sabotaged(descriptor):
    if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
        _synced(descriptor)


os.fsync = _sabotaged
