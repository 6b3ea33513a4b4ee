"""The executor `dask`: workers on other machines, by a Dask cluster that is there already."""

from __future__ import annotations

from batchd import Register, hookimpl


@hookimpl
def register_executors(register: Register) -> None:
    """Offer the executor `dask`."""
    # This imports the settings, not Dask: importing that takes a second, so it waits until the executor is opened.
    from .executor import DaskExecutor

    register("dask", DaskExecutor)
