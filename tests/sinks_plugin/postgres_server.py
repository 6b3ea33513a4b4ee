"""A real PostgreSQL server for the tests, in a folder of its own, on a socket and a port of this machine."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def postgres_server() -> Iterator[str]:
    """The address of the server, with a superuser `t`. Skips, in words, where there is no PostgreSQL."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    found = shutil.which("initdb")
    home = programs[0] if programs else Path(found).parent if found else None
    if home is None:
        pytest.skip("needs a PostgreSQL server: apt-get install postgresql")
    as_other = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] if os.getuid() == 0 else []
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    if as_other:
        shutil.chown(folder, "nobody", "nogroup")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    def run(*command: str | Path) -> None:
        done = subprocess.run([*as_other, *command], cwd="/", capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"

    password = folder / "password"
    password.write_text("right\n")
    password.chmod(0o644)
    data = folder / "data"
    run(
        home / "initdb", "-D", data, "-U", "t", "-A", "scram-sha-256", f"--pwfile={password}", "--no-sync", "-E", "UTF8"
    )
    options = f"-k {folder} -c listen_addresses=127.0.0.1 -p {port} -c fsync=off -c max_connections=20"
    # Its log is a file: a pipe would stay open as long as the server runs.
    subprocess.run(
        [*as_other, home / "pg_ctl", "-D", data, "-w", "-o", options, "-l", folder / "log", "start"],
        cwd="/",
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=60,
        check=True,
    )
    try:
        yield f"postgresql://t:right@127.0.0.1:{port}/postgres"
    finally:
        run(home / "pg_ctl", "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)
