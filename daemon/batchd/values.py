"""Copies of values that never change: structs of msgspec, which take a thirtieth of the time of a dataclass to define.

A process of batchd defines some two hundred of them before it does anything. What plugins see, and what is stored field
by field, are dataclasses.
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
        """The value with these changes."""
        return (structs if isinstance(value, Struct) else dataclasses).replace(value, **changes)
