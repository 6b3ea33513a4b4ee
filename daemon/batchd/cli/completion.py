"""`batchd completion`: commands, options and job ids completed by the tab key."""

from __future__ import annotations

import click

_INSTALL = {
    "bash": "batchd completion bash > ~/.local/share/bash-completion/completions/batchd",
    "zsh": "batchd completion zsh > ~/.zfunc/_batchd    # with fpath+=~/.zfunc before compinit in ~/.zshrc",
    "fish": "batchd completion fish > ~/.config/fish/completions/batchd.fish",
}


@click.command()
@click.argument("shell", type=click.Choice(sorted(_INSTALL)))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print a script for completion in your shell.

    It completes commands, options and the ids of jobs.

    The script begins with a comment that says where to put it. To try it first:

    \b
    Examples:
      source <(batchd completion bash)
      source <(batchd completion zsh)
      batchd completion fish | source
    """
    from click.shell_completion import get_completion_class

    root = context.find_root()
    found = get_completion_class(shell)
    assert found is not None
    script = found(root.command, {}, "batchd", "_BATCHD_COMPLETE").source().strip()
    hint = f"# Made by `batchd completion {shell}`. To install it:\n#   {_INSTALL[shell]}"
    # zsh takes a completion function only by a tag in the very first line.
    first, _, rest = script.partition("\n")
    click.echo(f"{first}\n{hint}\n{rest}" if first.startswith("#compdef") else f"{hint}\n{script}")
