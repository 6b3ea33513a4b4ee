"""`batchd`: the global options, and the commands by section."""

from __future__ import annotations

import inspect
import os
import select
import sys
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from .. import __version__
from ..errors import BatchdError, PluginError
from .call import Call, log_level_option

if TYPE_CHECKING:
    from ..plugin.catalogue import Catalogue

SECTIONS = {
    "To begin": ("init", "check", "services"),
    "To prepare": ("validate", "try"),
    "To work": ("run", "once"),
    "To know the cost": ("estimate", "spending"),
    "To see what is going on": ("status", "events", "plugins", "nodes", "state"),
    "To check answers": ("review",),
    "To give orders": ("approve", "cancel", "retry", "skip-sink", "resolve", "purge", "pause", "resume"),
    "To set up": ("backup", "restore", "web", "new-plugin", "config", "completion"),
}
MODULES = {
    **{name: name.replace("-", "_") for names in SECTIONS.values() for name in names},
    **dict.fromkeys(SECTIONS["To give orders"], "orders"),
    "restore": "backup",
    "try": "trying",
}
"""The module of each command. The function there has the name of the command."""

EXIT_STATUSES = (
    ("0", "done"),
    ("1", "a job or a check failed"),
    ("2", "wrong use"),
    ("3", "delivered, but some rows failed"),
    ("4", "the configuration, or a plugin it needs"),
    ("5", "a provider or a disk is not available"),
    ("6", "held for budget"),
    ("11", "the state is locked by another daemon"),
    ("70", "a plugin has blocked all of batchd"),
    ("130", "interrupted"),
)


class Batchd(click.Group):
    """Imports a command when it is called, and loads plugins only for commands that are not built in."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*MODULES, *(name for name in _catalogue(ctx).commands() if name not in MODULES)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in MODULES:
            module = import_module(f".{MODULES[cmd_name]}", __package__)
            # `try` is a keyword of Python.
            command: click.Command = getattr(module, "try_" if cmd_name == "try" else cmd_name.replace("-", "_"))
            return command
        factory = _catalogue(ctx).commands().get(cmd_name)
        return None if factory is None else _made(cmd_name, factory, ctx)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does it. For an unknown command, say which one may be meant, or that a broken plugin may have it."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from ..domain.words import nearest

            meant = nearest(args[0], self.list_commands(ctx))
            if meant is not None:
                raise click.UsageError(f"{error.format_message()} Did you mean {meant}?", ctx) from None
            if not _catalogue(ctx).broken:
                raise
            hint = "Some plugins are broken, and one of them may have it: batchd plugins"
            raise click.UsageError(f"{error.format_message()} {hint}", ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        names = self.list_commands(ctx)
        room = formatter.width - 6 - max(map(len, names))
        others = [name for name in names if name not in MODULES]
        for section, members in {**SECTIONS, "From plugins": others}.items():
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

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. It is no failure, as it would be for click, if the reader of our output stops reading."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            if not _has_no_reader(sys.stdout.fileno()):
                raise
            # The rest of the buffer would fail again when the process ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise click.exceptions.Exit(0) from None

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Exit statuses"):
            formatter.write_dl(EXIT_STATUSES)
        formatter.write_paragraph()
        formatter.write_text(
            "Every option can also be set in the environment: BATCHD_CONFIG for --config, BATCHD_STATUS_WATCH=1 for "
            "status --watch. NO_COLOR=1 turns colours off."
        )


def _catalogue(ctx: click.Context) -> Catalogue:
    """All plugins, broken ones too, loaded once per run of the command line."""
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
            from .installed import Installed  # it imports pydantic

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
    """Whether the factory takes an Installation."""
    return any(each.default is each.empty for each in inspect.signature(factory).parameters.values())


def _has_no_reader(descriptor: int) -> bool:
    asked = select.poll()
    asked.register(descriptor, 0)
    return bool(asked.poll(0))


@click.group(
    cls=Batchd,
    context_settings={
        "auto_envvar_prefix": "BATCHD",
        "help_option_names": ["-h", "--help"],
        "max_content_width": 100,
    },
)
@click.option(
    "--config",
    metavar="PATH",
    # --help needs it too: plugins in the folder that the configuration names may have commands.
    is_eager=True,
    expose_value=False,
    callback=lambda context, _, value: setattr(context.ensure_object(Call), "config", value),
    help="The configuration.  [default: ./config.toml]",
)
@log_level_option
@click.version_option(__version__, prog_name="batchd", message="%(prog)s %(version)s")
@click.pass_context
def batchd(context: click.Context) -> None:
    """Drop a file of rows into a folder; get it back with a language model's answers.

    \b
    Begin with:
      batchd demo      see it work: no key, no network
      batchd init      write a configuration and the folders
      batchd check     check that everything is ready
      batchd run       start; then drop a file into the inbox
    """
    if os.environ.get("NO_COLOR"):
        context.color = False
