"""`batchd backup` and `batchd restore`: copy what a daemon works on into a folder, and back."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path

import click

from .call import Call, echo_json, json_option, pass_call


@click.command()
@click.argument("target", metavar="TO", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace the backup at TO, once the new one is complete.")
@click.option("--finished", is_flag=True, help="With the working files of finished jobs, as long as they are kept.")
@json_option
@pass_call
def backup(call: Call, target: Path, *, force: bool, finished: bool, as_json: bool) -> None:
    """Back up what the daemon works on into the new folder TO.

    In it are the database, the dropped file, the rows and the answers of each job that is not finished, and the
    configuration without its secrets. Not in it are inbox, outbox, archive and plugins. The folder appears whole or not
    at all, readable for you alone. `batchd restore` puts it back.

    \b
    Examples:
      batchd backup /backups/batchd-2026-11-29
    """
    from ..app.backups.backup import back_up

    done = back_up(call.config_path, target, force=force, finished=finished)
    if as_json:
        echo_json(asdict(done))
        return
    from ..status.formatting import count

    if done.replaced is not None:
        click.echo(f"Replaced the backup of {done.replaced}.")
    jobs, batches = count(done.jobs, "job"), count(done.batches, "open batch", "open batches")
    click.echo(f"Backed up {jobs} with {batches} to {done.folder} ({done.bytes / 1e6:,.1f} MB).")
    if done.hidden:
        click.echo(f"Secrets are not in it: {', '.join(done.hidden)}. Keep them elsewhere.")


@click.command()
@click.argument("source", metavar="FROM", type=click.Path(path_type=Path))
@json_option
@pass_call
def restore(call: Call, source: Path, *, as_json: bool) -> None:
    """Put back the backup FROM, where no daemon works yet.

    Writes the state folder, which must be empty, and the configuration with its folders if there is none. The daemon
    that the backup was made of must not run any more. Started here, batchd takes the answers of batches that were
    created meanwhile from the provider, as long as it keeps them.

    \b
    Examples:
      batchd --config /etc/batchd/config.toml restore /backups/batchd-2026-11-29
    """
    from ..app.backups.restore import restore as put_back

    named = call.config or os.environ.get("BATCHD_CONFIG") or "config.toml"
    done = put_back(source.absolute(), Path(named).expanduser().absolute())
    if as_json:
        echo_json(asdict(done))
        return
    from ..status.formatting import count

    click.echo(f"Restored {count(done.jobs, 'job')} of {done.made_at} to {done.state}.")
    if done.config_written:
        click.echo(f"Wrote {done.config}, and made the folders that it names. Look through it.")
    if done.hidden:
        click.echo(f"Write these secrets into it again: {', '.join(done.hidden)}.")
    click.echo("Make sure that the old daemon does not run any more. Then: batchd check, and")
    click.echo("batchd run. Answers given since the backup are taken from the provider, as long as it has them.")
