"""What a command needs of the config that only looks: folders and prices, read without checking the rest.

A config that does not pass its checks must not keep anyone from seeing what the daemon does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..adapters import toml_text
from ..adapters.locations import DEFAULT_FOLDERS, resolved, state_folder

if TYPE_CHECKING:
    from ..adapters.state_view.records import Tokens


@dataclass(frozen=True, slots=True)
class Places:
    """The folders of a config, and what its models cost."""

    config: Path
    state: Path
    outbox: Path
    archive: Path
    rejected: Path
    currency: str
    _providers: Mapping[str, Any] = field(repr=False)

    @classmethod
    def of(cls, config: Path) -> Places:
        """Read them. ConfigError if the file is no TOML, or does not say where the state is."""
        data = toml_text.read(config).data
        folders = _table(data, "folders")
        outbox, archive, rejected = (
            resolved(str(folders.get(name) or DEFAULT_FOLDERS[name]), config)
            for name in ("outbox", "archive", "rejected")
        )
        currency = _table(data, "budget").get("currency", "USD")
        return cls(config, state_folder(config), outbox, archive, rejected, str(currency), _table(data, "providers"))

    def cost(self, provider: str, model: str, tokens: Tokens | None) -> int | None:
        """What so many tokens cost in batches, in trillionths; None if the config does not say."""
        table = _table(self._providers, provider)
        terms = _table(_table(table, "prices"), model)
        if tokens is None or not terms:
            return None
        if "batch_discount" in table:
            terms = {"batch_discount": table["batch_discount"], **terms}
        from decimal import Decimal, InvalidOperation

        from ..core.pricing import Price
        from ..model import Usage

        try:
            price = Price(**{name: Decimal(str(number)) for name, number in terms.items() if name != "currency"})
        except (InvalidOperation, TypeError):
            return None  # `batchd check` says what is wrong with it
        return price.rates(batch=True).cost(Usage(tokens.input, tokens.cached, tokens.output))


def _table(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    table = data.get(name)
    return table if isinstance(table, dict) else {}
