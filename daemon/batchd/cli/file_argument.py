"""The FILE of a command. A module of its own, since click asks for the language of the machine to make it."""

from __future__ import annotations

from pathlib import Path

import click

FILE = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)
