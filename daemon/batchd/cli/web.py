"""`batchd web`: the tokens of the page."""

from __future__ import annotations

import click

from .call import Call, Option, echo_json, json_option, pass_call


@click.group()
def web() -> None:
    """Make the tokens that let people see the page."""


@web.command()
@click.option(
    "--read", "read_only", cls=Option, is_flag=True, help="A token that lets people look, but not give orders."
)
@click.option("--remove", is_flag=True, help="Make none, and let nobody in by the last one.")
@json_option
@pass_call
def token(call: Call, *, read_only: bool, remove: bool, as_json: bool) -> None:
    """Make a new token for the page, in place of the last one.

    It is printed once; batchd keeps only its fingerprint, in the state folder. Browsers that were let in by the last
    one are asked for the new one. A running daemon knows it within a second.

    Type it on the page, or send it as a header: `Authorization: Bearer TOKEN`.

    \b
    Examples:
      batchd web token
      batchd web token --read
    """
    from ..web.tokens import WebRole, make_token, remove_token

    state = call.places().state
    role = WebRole.READ if read_only else WebRole.ORDER
    if remove:
        removed = remove_token(state, role)
        if as_json:
            echo_json({"role": role.value, "removed": removed})
        else:
            click.echo("It lets nobody in any more." if removed else "There was none.")
        return
    made = make_token(state, role)
    if as_json:
        echo_json({"role": role.value, "token": made})
        return
    click.echo(made)
    if role is WebRole.READ:
        click.echo("It lets people look, but not give orders.", err=True)
    else:
        click.echo("It lets people look, upload files and give orders, which can spend money.", err=True)
