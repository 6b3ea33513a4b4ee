"""Builds the package for Debian and takes it through its life under a real systemd. Needs root, and takes minutes.

python -m tests.packages.run
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


def main() -> int:
    """The exit status of the story: installed, started, reloaded, backed up, watched, upgraded, purged."""
    with tempfile.TemporaryDirectory() as folder:
        script = [sys.executable, str(ROOT / "packaging" / "deb.py"), "--target", folder, "--version", "1.0-1"]
        first = Path(subprocess.run(script, check=True, stdout=subprocess.PIPE, text=True).stdout.strip())
        # The next one is the same with another number: what is asked is what an upgrade does.
        tree = Path(folder, "tree")
        subprocess.run(["dpkg-deb", "-R", first, tree], check=True)
        control = tree / "DEBIAN" / "control"
        control.write_text(control.read_text().replace("Version: 1.0-1", "Version: 1.1-1"))
        second = first.with_name(first.name.replace("1.0-1", "1.1-1"))
        subprocess.run(["dpkg-deb", "--root-owner-group", "-Zgzip", "-b", tree, second], check=True)
        sandbox = ["bash", str(HERE / "systemd_sandbox.sh"), str(HERE / "deb_story.sh"), str(first), str(second)]
        return subprocess.run(sandbox, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
