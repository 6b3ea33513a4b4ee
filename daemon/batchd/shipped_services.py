"""The tables of services that a plugin ships: a folder of TOML files, one each, named after the service.

from importlib.resources import files

from batchd import hookimpl, service_tables

@hookimpl
def register_services(register):
    for name, table in service_tables(files(__package__) / "services"):
        register(name, table)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib.resources.abc import Traversable
from typing import Any


def service_tables(folder: Traversable) -> Iterator[tuple[str, Callable[[], Mapping[str, Any]]]]:
    """The services of the `.toml` files in a folder: each name, and a function that reads its table."""
    for file in sorted(folder.iterdir(), key=lambda each: each.name):
        name = file.name.removesuffix(".toml")
        if name != file.name:
            yield name, partial(_read, file)


def _read(file: Traversable) -> Mapping[str, Any]:
    # Here and not at the top, to keep `import batchd` fast.
    import tomllib

    return tomllib.loads(file.read_text("utf-8"))
