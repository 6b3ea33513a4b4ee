"""The package `distributed`, which not every installation has."""

from __future__ import annotations

from importlib.util import find_spec

from batchd import PluginError

NEEDED = (
    "The executor dask needs the package distributed, which is not installed here. Install it where batchd runs and on "
    "each node: pip install 'batchd[dask]'. Then start batchd again."
)


def needed() -> None:
    """Raise PluginError, in words, if it is not there."""
    if find_spec("distributed") is None:
        raise PluginError(NEEDED)
