"""Makes docs/demo.svg: `batchd demo` in a terminal of 100 columns, as it ends. `make recording` runs it."""

from __future__ import annotations

import contextlib
import io
import os
import pty
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

PICTURE = Path(__file__).parents[2] / "docs" / "demo.svg"
COLUMNS = 100
# Rich's own format loads a font from another host.
FORMAT = re.sub(r"@font-face \{\{.*?\}\}\s*|<!--.*?-->\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL).replace(
    "Fira Code", "ui-monospace, Menlo, Consolas, DejaVu Sans Mono"
)
COMMANDS_OF_THE_TERMINAL = re.compile(r"\x1b\[[0-9;?]*[A-HJKhl]|\r")
INTRODUCTION = 2
"""Lines before the log begins."""


def shown(folder: Path) -> list[str]:
    """The lines of `batchd demo`: its output as on a terminal, with colours, and its log between."""
    leader, follower = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(COLUMNS), "TERM": "xterm-256color"}
    command = [Path(sys.executable).with_name("batchd"), "demo", "demo"]
    with (folder / "log").open("wb") as log:
        running = subprocess.Popen(command, cwd=folder, env=environment, stdout=follower, stderr=log)
    os.close(follower)
    written = b""
    with contextlib.suppress(OSError):  # the other end is closed
        while piece := os.read(leader, 65_536):
            written += piece
    log_lines = (folder / "log").read_text("utf-8").splitlines()
    if running.wait() != 0:
        raise SystemExit("\n".join(log_lines))
    output = COMMANDS_OF_THE_TERMINAL.sub("", written.decode()).splitlines()
    return [*output[:INTRODUCTION], "", *log_lines, "", *output[INTRODUCTION:]]


def draw() -> str:
    """The picture. Ids and times differ from one run to the next."""
    folder = Path(tempfile.mkdtemp())
    try:
        lines = shown(folder)
    finally:
        shutil.rmtree(folder)
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text("$ batchd demo"))
    for line in lines:
        console.print(Text.from_ansi(line.replace(str(folder.resolve()), "~")), overflow="ellipsis", no_wrap=True)
    return console.export_svg(title="batchd demo", code_format=FORMAT)


if __name__ == "__main__":
    PICTURE.write_text(draw(), "utf-8")
