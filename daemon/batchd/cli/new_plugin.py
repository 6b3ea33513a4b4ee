"""`batchd new-plugin`: a plugin to begin with, which passes its tests as it is written."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

import click

from ..plugin.new_plugin import ROLES, NewPlugin
from ..status.formatting import count
from .call import Call, echo_json, json_option, pass_call


@click.command("new-plugin")
@click.argument("name")
@click.option(
    "--role", type=click.Choice(tuple(ROLES)), required=True, help="What kind of plugin; live answers one row a call."
)
@click.option("--file", is_flag=True, help="One file for the plugin_dir, instead of a package to install.")
@json_option
@pass_call
def new_plugin(call: Call, name: str, *, role: str, file: bool, as_json: bool) -> None:
    """Write a plugin called NAME that works, with its tests.

    A package goes into ./batchd-NAME: code, tests that inherit the conformance kit, README, CI. With --file it is one
    file in the plugin_dir of the configuration, with its tests beside it. Nothing is overwritten.

    \b
    Examples:
      batchd new-plugin warehouse --role sink
      batchd new-plugin acme --role provider
      batchd new-plugin summary --role prompt --file
    """
    from ..plugin.installing import Environment, advice, install_line

    try:
        plugin = NewPlugin.named(name, role)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    _refuse_taken(call, plugin)
    here = Environment.here()
    if file:
        folder, to_set = _plugin_dir(call)
        files = plugin.single()
        install = None
    else:
        folder, to_set = Path.cwd() / plugin.distribution, None
        install = install_line(here, str(folder), editable=True)
        files = plugin.package()
    written = [folder / path for path in files]
    there = [path for path in ([folder] if not file else written) if path.exists()]
    if there:
        raise click.UsageError(f"{there[0]} exists already. Nothing was written; choose another name, or move it away.")
    for path, text in zip(written, files.values(), strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    tests = _tests(folder, single=file, module=plugin.module)
    if as_json:
        record = {
            "files": [str(path) for path in written],
            "install": install,
            "tests": tests,
            "configuration": plugin.toml,
            "plugin_dir": to_set,
        }
        echo_json(record)
        return
    click.echo(f"Wrote {count(len(written), 'file')} in {folder}:")
    for path in written:
        click.echo(f"  {path.relative_to(folder)}")
    click.echo(f"\nIts tests, which pass as they are (they need pytest):\n  {tests}")
    if install is not None:
        click.echo(f"\nTo install it into the environment that batchd runs from:\n  {install}")
        warning = advice(here)
        if warning:
            click.echo(f"Note: {warning}")
    click.echo("\nFor the configuration:\n")
    if to_set is not None:
        click.echo(f'plugin_dir = "{to_set}"    # at the top of the file\n')
    click.echo(plugin.toml)
    click.echo("\nThen `batchd plugins` lists it, and `batchd check` says what it still needs.")


def _refuse_taken(call: Call, plugin: NewPlugin) -> None:
    """Refuse a kind that a plugin offers already: batchd would leave both plugins out."""
    from ..config.checking.rehearsing import loaded_plugins

    noun = ROLES[plugin.role].noun
    for offer in loaded_plugins(call.config_path_if_any).offers:
        if (offer.role.noun, offer.kind) == (noun, plugin.kind):
            raise click.UsageError(
                f"The plugin {offer.plugin} of {offer.distribution or offer.where} offers a {noun} {plugin.kind} "
                "already. Choose another name."
            )


def _plugin_dir(call: Call) -> tuple[Path, str | None]:
    """The folder for a single file, and what to set `plugin_dir` to if it is not set."""
    from ..config.locations import plugin_folder

    path = call.config_path_if_any
    if path is None:
        return Path.cwd() / "plugins.d", "plugins.d"
    folder = plugin_folder(path)
    return (folder, None) if folder is not None else (path.absolute().parent / "plugins.d", "plugins.d")


def _tests(folder: Path, *, single: bool, module: str) -> str:
    where = os.path.relpath(folder)
    what = [os.path.join(where, f"_test_{module}.py")] if single else ["--rootdir", where, where]
    return shlex.join([sys.executable, "-m", "pytest", *what])
