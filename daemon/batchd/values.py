"""Changed copies of immutable values: structs of msgspec, and dataclasses.

A struct takes a thirtieth of the time of a dataclass to define, and a process of batchd defines some two hundred before
it does anything. Values that plugins see, and those that are stored field by field, are dataclasses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    # With this type a checker knows the names and types of the changes, also those of structs.
    from dataclasses import replace as replace
else:
    import dataclasses

    from msgspec import Struct, structs

    ValueT = TypeVar("ValueT")

    def replace(value: ValueT, /, **changes: Any) -> ValueT:
        """Return a copy of the value with these changes."""
        return (structs if isinstance(value, Struct) else dataclasses).replace(value, **changes)
