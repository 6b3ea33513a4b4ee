"""The FILE argument. It has its own module, since click looks up the machine's language when the type is made."""

from __future__ import annotations

from pathlib import Path

import click

FILE = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)
