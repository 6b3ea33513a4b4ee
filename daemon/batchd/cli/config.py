"""`batchd config`: reading and writing single keys of config.toml."""

from __future__ import annotations

from typing import Any

import click

from ..errors import ConfigError
from .call import Call, echo_json, json_option, pass_call


@click.group()
def config() -> None:
    """Read and write single keys of the configuration."""


@config.command("get")
@click.argument("key")
@json_option
@pass_call
def get_key(call: Call, key: str, *, as_json: bool) -> None:
    """Print the value or the table of KEY.

    Only what stands in the file is printed, no defaults. Secrets are hidden.

    \b
    Examples:
      batchd config get intake.settle
      batchd config get 'providers.holysheep.prices."deepseek-v3.2"'
    """
    from ..config.edit import get

    value = get(call.config_path, key)
    if as_json:
        echo_json(value)
    else:
        click.echo(_as_toml(value))


@config.command("set")
@click.argument("key")
@click.argument("value")
@json_option
@pass_call
def set_key(call: Call, key: str, value: str, *, as_json: bool) -> None:
    """Set KEY to VALUE: a TOML value, else a text. Nothing is written if the configuration would be wrong then.

    Comments and layout are kept. A running daemon takes the change on reload: systemctl reload batchd.

    \b
    Examples:
      batchd config set providers.holysheep.poll 1m
      batchd config set routes.reviews.match '["reviews/**", "*.csv"]'
    """
    from ..config.checking.rehearsing import found
    from ..config.edit import get, set_value
    from ..config.locations import plugin_choice
    from ..plugin.catalogue import Catalogue
    from ..plugin.kept_off import not_loaded
    from ..status.daemon import running

    path = call.config_path
    try:
        catalogue = Catalogue.load(*plugin_choice(path), off=not_loaded(found(path, making=False)))
        change = set_value(path, key, value, catalogue)
    except ConfigError as error:
        raise ConfigError(f"Nothing was written, because {path} would be wrong then:\n{error}") from None
    daemon = running(change.config.folders.state)
    if as_json:
        record = {
            "key": change.key,
            "value": get(path, key),
            "comments_kept": change.comments_kept,
            "warnings": list(change.config.warnings),
            "daemon_running": daemon is not None,
        }
        echo_json(record)
        return
    click.echo(change.sentence)
    for warning in change.config.warnings:
        click.echo(f"Note: {warning}")
    if daemon is not None:
        how = f"kill -HUP {daemon.process}" if daemon.process is not None else "send it SIGHUP"
        click.echo(f"The running daemon still uses the old value. To reload: {how}")


def _as_toml(value: Any) -> str:
    if isinstance(value, str):
        return value  # no quotes, for use in scripts
    import tomli_w

    if isinstance(value, dict):
        return tomli_w.dumps(value).rstrip("\n")
    return tomli_w.dumps({"value": value}).removeprefix("value = ").rstrip("\n")
