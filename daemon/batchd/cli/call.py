"""The options that stand before a command: where the config is, and how much to log."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ..config.load import Config
    from ..plugin.catalogue import Catalogue
    from ..status.places import Places

LOG_LEVELS = ("debug", "info", "warning", "error")


@dataclass(slots=True)
class Call:
    """The global options. Every command gets them; `ending` reads them again if the command fails."""

    config: str | None = None
    log_level: str | None = None

    @property
    def config_path(self) -> Path:
        """The path of the config file. Raises ConfigError if there is none."""
        from ..config.locations import find_config

        return find_config(self.config)

    @property
    def config_path_if_any(self) -> Path | None:
        """As `config_path`, but None if no file was named and none is found: installed plugins do not need one."""
        from ..errors import ConfigError

        try:
            return self.config_path
        except ConfigError:
            if self.config is not None:
                raise
            return None

    def places(self) -> Places:
        """The folders, without checking the rest of the config."""
        from ..status.places import Places

        return Places.of(self.config_path)

    def load(self, *, to_work: bool = False) -> tuple[Config, Catalogue]:
        """Return the checked config and its plugins, which takes a while. `to_work`: the command locks the state."""
        from ..app.load import load
        from ..config.checking.rehearsing import found, last_resort, to_keep_off
        from ..plugin.kept_off import not_loaded

        path = self.config_path
        if not to_work:
            return load(path, not_loaded(found(path)))
        off = to_keep_off(path)
        with last_resort(path):
            return load(path, off)

    def log(self, level: str, form: str = "text") -> None:
        """Begin to log to standard error. The user's `--log-level` wins over `level`."""
        from ..system.logs import set_up

        set_up(self.log_level or level, "json" if form == "json" else "text")


class Option(click.Option):
    """An option whose parameter has another name. Its environment variable is named after the option: `…_JSON`."""

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        name = max(self.opts, key=len).lstrip("-").replace("-", "_").upper()
        return os.environ.get(f"{ctx.auto_envvar_prefix}_{name}") or None


pass_call = click.make_pass_decorator(Call)

json_option = click.option(
    "--json", "as_json", cls=Option, is_flag=True, help="Print JSON, to which new versions only add keys."
)


def echo_json(value: object) -> None:
    import json

    click.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def echo_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print columns as wide as their longest cell."""
    from ..status.formatting import clean

    widths = [max(len(cell) for cell in column) for column in zip(heads, *rows, strict=True)]
    for number, row in enumerate((heads, *rows)):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        click.echo(click.style(clean(line), bold=True) if number == 0 else clean(line))


def log_level_option(function: click.decorators.FC) -> click.decorators.FC:
    """`--log-level`, which stands before the command or after it."""

    def remember(context: click.Context, _: click.Parameter, value: str | None) -> None:
        if value is not None:
            context.ensure_object(Call).log_level = value

    return click.option(
        "--log-level",
        type=click.Choice(LOG_LEVELS),
        expose_value=False,
        callback=remember,
        help="How much to log; debug shows tracebacks.",
    )(function)


def as_moment(context: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    """Parse a day, or a span before now, as seconds since 1970."""
    del context, parameter
    if value is None:
        return None
    import time
    from datetime import UTC, datetime

    try:
        return datetime.strptime(value, "%Y-%m-%d").replace(tzinfo=UTC).timestamp()
    except ValueError:
        pass
    from ..settings import seconds

    try:
        return time.time() - seconds(value)
    except ValueError:
        raise click.BadParameter(f'{value!r} is neither a day such as "2026-11-01" nor a span such as "30d".') from None
