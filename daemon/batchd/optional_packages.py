"""Packages that not every installation has."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

from .errors import BatchdError, RejectedError


@dataclass(frozen=True, slots=True)
class OptionalPackage:
    """A package that only `batchd[extra]` installs. `user` is what needs it, such as `sink parquet`."""

    name: str
    extra: str
    user: str
    where: str = "where batchd runs"

    @property
    def is_installed(self) -> bool:
        """Whether it is installed. Does not import it, which may take more than a second."""
        return find_spec(self.name.lower()) is not None

    @property
    def advice(self) -> str:
        """What is missing, and how to install it."""
        return (
            f"The {self.user} needs the package {self.name}, which is not installed here. Install it {self.where}: "
            f"pip install 'batchd[{self.extra}]'. Then start batchd again."
        )

    def require(self, error: type[BatchdError] = RejectedError) -> None:
        """Raise `error` with the advice if it is not installed."""
        if not self.is_installed:
            raise error(self.advice)
