"""Counts how often an idle daemon wakes up, and how much of a processor that takes.

A wake-up is a voluntary context switch of any of its threads. The result is the number of wake-ups a second of a daemon
with the default settings that watches an empty inbox. Linux only.

    python bench/idle.py [--seconds 30]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CONFIG = """
[providers.nobody]
plugin = "openai"
base_url = "http://127.0.0.1:9/v1"
api_key = "env:IDLE_KEY"

[routes.reviews]
provider = "nobody"
model = "any"

[routes.reviews.prompt]
plugin = "template"
user = "{{ review }}"
"""
MAX_WAKE_UPS = 5.0
"""Wake-ups a second. `powertop` lists programs with more."""


def count(process: int) -> tuple[int, float]:
    """The wake-ups of all threads of a process so far, and its processor seconds."""
    wake_ups, seconds = 0, 0.0
    for thread in Path(f"/proc/{process}/task").iterdir():
        status = dict(line.split(":", 1) for line in (thread / "status").read_text().splitlines())
        wake_ups += int(status["voluntary_ctxt_switches"])
        fields = (thread / "stat").read_text().rpartition(") ")[2].split()
        seconds += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return wake_ups, seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        config = Path(scratch, "config.toml")
        config.write_text(CONFIG, "utf-8")
        (Path(scratch) / "inbox" / "reviews").mkdir(parents=True)
        command = [sys.executable, "-m", "batchd", "--config", config, "run"]
        daemon = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, "IDLE_KEY": "x"})
        try:
            assert daemon.stderr is not None
            for line in daemon.stderr:
                if "Watching" in line:
                    break
            time.sleep(5)  # for the work that is done once after the start
            before = count(daemon.pid)
            time.sleep(options.seconds)
            after = count(daemon.pid)
        finally:
            daemon.terminate()
            daemon.wait()
    wake_ups, busy = ((now - then) / options.seconds for now, then in zip(after, before, strict=True))
    print(f"{wake_ups:.1f} wake-ups a second (at most {MAX_WAKE_UPS:.0f}), {100 * busy:.2f} % of a processor")
    sys.exit(wake_ups > MAX_WAKE_UPS)


if __name__ == "__main__":
    main()
