"""`batchd init`: a configuration to begin with, and the folders."""

from __future__ import annotations

import importlib.resources
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..status.formatting import join
from .call import Call, echo_json, json_option, pass_call

if TYPE_CHECKING:
    from ..config.load import Config


@click.command()
@click.argument("folder", metavar="[FOLDER]", type=click.Path(file_okay=False, path_type=Path), required=False)
@click.option("--service", metavar="NAME", help="For this service: `batchd services` lists them.")
@click.option("--model", metavar="MODEL", help="With --service: its model, by the name that it has there.")
@click.option("--columns", metavar="A,B,...", help="With --service: the columns of your files, for the question.")
@json_option
@pass_call
def init(
    call: Call, folder: Path | None, *, service: str | None, model: str | None, columns: str | None, as_json: bool
) -> None:
    """Write a commented config.toml and make the folders.

    In FOLDER, or here. An existing configuration is never overwritten; missing folders that it names are made.

    \b
    Examples:
      batchd init
      batchd init /srv/batchd
      batchd init --service groq --model MODEL --columns title,review
    """
    path = folder.absolute() / "config.toml" if folder is not None else Path(call.config or "config.toml").absolute()
    wanted = _wanted(service, model, columns)
    written = _write(path, wanted[0])
    here = Path.cwd()
    from ..app.folders import make_folders
    from ..app.load import load

    config, _ = load(path)
    made = make_folders(config)
    steps = _steps(config, here, chosen=written and service is not None)
    if as_json:
        record = {
            "config": str(path),
            "written": written,
            "folders_made": [str(each) for each in made],
            "next": [command for command, _ in steps],
        }
        echo_json(record)
        return
    click.echo(f"Wrote {path}." if written else f"{path} exists already and was not changed.")
    if not written and wanted[1] and service in config.providers:
        click.echo(f"It has a provider {service} already.")
    elif not written and wanted[1]:
        click.echo(f"To use {service} there as well, add this to it:\n\n{wanted[1]}")
    if made:
        click.echo(f"Made {join([os.path.relpath(each, path.parent) for each in made])} beside it.")
    click.echo("\nNext:")
    width = max(len(command) for command, _ in steps)
    for number, (command, why) in enumerate(steps, start=1):
        click.echo(f"  {number}. {click.style(command.ljust(width), bold=True)}   {why}")


def _wanted(service: str | None, model: str | None, columns: str | None) -> tuple[bytes, str]:
    """Return the configuration to write, and the tables that an existing configuration would need of it."""
    if service is None:
        if model is not None or columns is not None:
            raise click.UsageError("--model and --columns go with --service: name the service too")
        return importlib.resources.files("batchd").joinpath("config.toml").read_bytes(), ""
    from ..config.checking.rehearsing import loaded_plugins
    from ..config.service_table import service_named
    from .init_service import columns_of, tables
    from .init_service import written as written_for

    known = service_named(loaded_plugins(None), service)
    if model is None or not model.strip() or columns is None:
        raise click.UsageError(
            f"--service {service} also needs --model, a model of {known.title}, and --columns, those of your files"
        )
    names = columns_of(columns)
    return written_for(service, known, model.strip(), names).encode(), tables(service, known, model.strip(), names)


def _write(path: Path, text: bytes) -> bool:
    """Write the configuration. Return False if there is one already."""
    from ..files import make_folder, publishing

    if path.exists():
        return False
    make_folder(path.parent)
    try:
        with publishing(path) as file:
            file.write(text)
    except FileExistsError:
        return False
    return True


def _steps(config: Config, here: Path, *, chosen: bool) -> list[tuple[str, str]]:
    """The commands to run next, each with its reason. `chosen`: the configuration was just written for a service."""
    folder = config.path.parent
    steps = [] if folder == here else [(f"cd {folder}", "batchd looks for config.toml where you are")]
    batchd = "batchd" if config.path.name == "config.toml" else f"batchd --config {config.path.name}"
    what = "set the question ([routes])" if chosen else "set the question ([routes]) and the service ([providers])"
    steps.append((f"${{EDITOR:-nano}} {config.path.name}", what))
    for name, provider in config.providers.items():
        kind, _, variable = str(provider.settings.get("api_key", "")).partition(":")
        if kind == "env" and not os.environ.get(variable):
            steps.append((f"export {variable}=…", f"your key for {name}"))
    inboxes = [
        config.folders.inbox / pattern.partition("/")[0]
        for route in config.routes
        for pattern in route.match
        if pattern.endswith("/**") and "*" not in pattern.partition("/")[0]
    ]
    drop = os.path.relpath(inboxes[0] if inboxes else config.folders.inbox, folder)
    return [
        *steps,
        (f"{batchd} check", "check that everything is ready"),
        (f"{batchd} run", f"start; then drop a file into {drop}"),
    ]
