"""A group of commands: imports a command when it is called, and plugins only for commands that are not built in."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from ..errors import BatchdError, PluginError
from .call import Call

if TYPE_CHECKING:
    from ..plugin.catalogue import Catalogue

FROM_PLUGINS = "From plugins"


class Commands(click.Group):
    """Commands by section. Each is a function of its name in the module of its name, or in that of `modules`."""

    def __init__(
        self, *arguments: Any, sections: Mapping[str, Sequence[str]], modules: Mapping[str, str], **options: Any
    ) -> None:
        super().__init__(*arguments, **options)
        self._sections = sections
        self._modules = {name: modules.get(name, name) for names in sections.values() for name in names}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*self._modules, *(name for name in _catalogue(ctx).commands() if name not in self._modules)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in self._modules:
            module = import_module(f".{self._modules[cmd_name].replace('-', '_')}", __package__)
            # `try` is a word of Python.
            command: click.Command = getattr(module, "try_" if cmd_name == "try" else cmd_name.replace("-", "_"))
            return command
        factory = _catalogue(ctx).commands().get(cmd_name)
        return None if factory is None else _made(cmd_name, factory, ctx)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does it; a command that is missing may be one of a broken plugin."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            if not _catalogue(ctx).broken:
                raise
            hint = "Some plugins are broken, and one of them may have it: batchd plugins"
            raise click.UsageError(f"{error.format_message()} {hint}", ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        names = self.list_commands(ctx)
        room = formatter.width - 6 - max(map(len, names))
        others = [name for name in names if name not in self._modules]
        for section, members in {**self._sections, FROM_PLUGINS: others}.items():
            rows = []
            for name in members:
                try:
                    command = self.get_command(ctx, name)
                except PluginError as error:
                    rows.append((name, str(error)))
                    continue
                if command is not None and not command.hidden:
                    rows.append((name, command.get_short_help_str(limit=room)))
            if rows:
                with formatter.section(section):
                    formatter.write_dl(rows)


def _catalogue(ctx: click.Context) -> Catalogue:
    """The plugins, broken ones and all: looked up once a call."""
    root = ctx.find_root()
    found: Catalogue | None = root.meta.get(__name__)
    if found is None:
        from ..config.checking.rehearsing import loaded_plugins
        from ..config.locations import find_config

        try:
            found = loaded_plugins(find_config(root.ensure_object(Call).config), making=False)
        except BatchdError:
            # Without a config, or with a broken one, there are still the installed plugins.
            found = loaded_plugins(None)
        root.meta[__name__] = found
    return found


def _made(name: str, factory: Callable[..., click.Command], ctx: click.Context) -> click.Command:
    arguments = []
    try:
        if _takes_one(factory):
            from .installed import Installed  # it brings pydantic

            arguments = [Installed(name, ctx.find_root().ensure_object(Call))]
        command = factory(*arguments)
    except (Exception, SystemExit) as error:
        reason = f"{type(error).__name__}: {error}"
        raise PluginError(f"The plugin that offers `batchd {name}` is broken: {reason}") from error
    if not isinstance(command, click.Command):
        made = type(command).__name__
        raise PluginError(f"The plugin that offers `batchd {name}` makes a {made}, not a click.Command.")
    return command


def _takes_one(factory: Callable[..., click.Command]) -> bool:
    """Whether the factory wants to know of the batchd that the command is called for."""
    return any(each.default is each.empty for each in inspect.signature(factory).parameters.values())
