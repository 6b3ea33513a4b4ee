"""The line that installs a plugin into the environment that batchd runs from: pip's, uv's or pipx's."""

from __future__ import annotations

import importlib.util
import os
import shlex
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct


class Environment(Struct, frozen=True):
    """Where this batchd runs: the environment's folder, its Python, and what is installed there."""

    prefix: Path
    python: str
    has_pip: bool
    writable: bool
    is_system: bool
    """Whether it is the system's own Python, into which nothing is to be installed."""

    @classmethod
    def here(cls) -> Environment:
        prefix = Path(sys.prefix)
        managed = sys.prefix == sys.base_prefix and any(prefix.glob("lib/python3*/EXTERNALLY-MANAGED"))
        has_pip = importlib.util.find_spec("pip") is not None
        return cls(prefix, sys.executable, has_pip, os.access(prefix, os.W_OK), managed)


def install_line(environment: Environment, what: str, *, editable: bool = False) -> str:
    """The command that installs `what`, a folder or the name of a distribution, beside this batchd."""
    flag = ["--editable"] if editable else []
    if (environment.prefix / "pipx_metadata.json").exists():
        return shlex.join(["pipx", "inject", *flag, environment.prefix.name, what])
    receipt = environment.prefix / "uv-receipt.toml"
    if receipt.exists():
        # uv installs the tool anew, so what was installed beside it is named again.
        extra = ["--with-editable" if editable else "--with", what]
        return shlex.join(["uv", "tool", "install", *_of_receipt(receipt), *extra])
    if environment.has_pip:
        line = [environment.python, "-m", "pip", "install", *flag, what]
    else:
        line = ["uv", "pip", "install", "--python", environment.python, *flag, what]
    return shlex.join(line if environment.writable else ["sudo", *line])


def advice(environment: Environment) -> str | None:
    """What to know before installing, None if nothing."""
    if environment.is_system:
        return (
            "batchd runs from the Python of the system, into which nothing is to be installed. Install batchd with uv "
            "tool, pipx or into an environment of its own; or put a plugin of one file into the plugin_dir."
        )
    return None


def _of_receipt(receipt: Path) -> Sequence[str]:
    """The tool itself, and what was installed beside it, as arguments."""
    try:
        tool = tomllib.loads(receipt.read_text("utf-8")).get("tool", {})
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        tool = {}
    arguments = ["batchd"]
    for each in tool.get("requirements", []):
        name = str(each.get("name", ""))
        extras = f"[{','.join(each['extras'])}]" if each.get("extras") else ""
        where = each.get("editable") or each.get("directory")
        if name == "batchd":
            arguments[0] = f"{where or name}{extras}"
        elif each.get("editable"):
            arguments += ["--with-editable", str(each["editable"])]
        elif name:
            arguments += ["--with", f"{where or name}{extras}{each.get('specifier', '')}"]
    return arguments
