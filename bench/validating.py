"""Measures the checking of requests: of a file with `batchd validate`, and of a part while it is planned.

For the file: time and peak memory, compared with a plain script that decodes each line, checks its fields and keeps
the custom_ids in a set, for each number of lines. The program ends with status 1 if memory grows from the first number
to the last by more than the size of the caches. For planning: the time with the rules, compared with the time without,
of a prompt that Jinja must fill; the requests of other prompts are checked together.

    python bench/validating.py [--lines 10000 1000000]
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

from measuring import Measured, measure

from batchd.domain import rows
from batchd.domain.routing import PluginSpec
from batchd.requests.rules import BodyRules
from batchd.work.planning import plan, request_file

WORDS = ["good", "bad", "late", "early", "broken", "giao", "hàng", "nhanh", "chậm", "tốt", "hỏng", "the", "box", "was"]
CACHES = 8_000_000
"""How many bytes more a large file may take than a small one: SQLite's caches for pages and sorting."""
PLANNED = 100_000
ROUNDS = 7

SCRIPT = """
import json, sys
seen, bad = set(), 0
for line in open(sys.argv[1], encoding="utf-8"):
    try:
        request = json.loads(line)
        body = request["body"]
        good = request["method"] == "POST" and request["custom_id"] not in seen and body["model"] and body["messages"]
        seen.add(request["custom_id"])
    except (ValueError, KeyError, TypeError):
        good = False
    bad += not good
print(bad)
"""


def text(chance: random.Random) -> str:
    """A made-up review."""
    return " ".join(chance.choices(WORDS, k=chance.randint(8, 40)))


def write_requests(path: Path, lines: int) -> None:
    """Write a file of requests, the same each time. One in a thousand has the custom_id of the previous one."""
    chance = random.Random(7)
    with path.open("w", encoding="utf-8") as file:
        for number in range(lines):
            messages = [{"role": "system", "content": "Label it."}, {"role": "user", "content": text(chance)}]
            request = {
                "custom_id": f"request-{number - (number % 1_000 == 999)}",
                "method": "POST",
                "url": "/v1/chat/completions",
                "body": {"model": "small", "messages": messages, "max_tokens": 50},
            }
            file.write(json.dumps(request, ensure_ascii=False) + "\n")


def checked(path: Path, lines: int) -> tuple[Measured, Measured]:
    """Run `batchd validate` and the plain script on the same file."""
    ours = measure([sys.executable, "-m", "batchd", "validate", path], fine={0, 1})
    script = measure([sys.executable, "-c", SCRIPT, path])
    if f": {lines // 1_000:,} bad line" not in ours.output or script.output.strip() != str(lines // 1_000):
        raise SystemExit(f"The result for {lines} lines is not the expected one:\n{ours.output}\n{script.output}")
    return ours, script


class NoRules(BodyRules):
    """Accepts everything."""

    def read(self, body: bytes) -> tuple[None, int]:  # noqa: ARG002
        """Nothing, and no tokens."""
        return None, 0


def planning(folder: Path) -> float:
    """The time of planning with the rules divided by that without: the median of pairs."""
    chance = random.Random(7)
    with (folder / "rows.jsonl").open("wb") as file:
        file.writelines(rows.encode([str(number), "a product", 3, text(chance)]) for number in range(PLANNED))
    prompt = {"system": "You label product reviews. Answer as A|B|C.", "user": "Review: {{ review | trim }}"}
    task = plan.PlanTask(
        job="abcd1234",
        first=0,
        offset=0,
        length=(folder / "rows.jsonl").stat().st_size,
        columns=["id", "product", "stars", "review"],
        rows=str(folder / "rows.jsonl"),
        requests=str(folder / "requests.jsonl"),
        settled=None,
        failures=str(folder / "failures.jsonl"),
        builder=PluginSpec("template", prompt),
        common={"model": "small", "max_tokens": 50},
        endpoint="/v1/chat/completions",
        max_line_bytes=1_000_000,
    )

    def seconds(rules: type[BodyRules]) -> float:
        request_file.BodyRules = rules  # type: ignore[attr-defined]
        try:
            before = time.process_time()
            plan.plan(task)
            return time.process_time() - before
        finally:
            request_file.BodyRules = BodyRules  # type: ignore[attr-defined]

    seconds(BodyRules)
    return statistics.median(seconds(BodyRules) / seconds(NoRules) for _ in range(ROUNDS))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, nargs="+", default=[10_000, 1_000_000])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        print(f"planning     {planning(Path(scratch)):.2f} of the time without the rules")
        peaks = []
        for lines in options.lines:
            path = Path(scratch, f"{lines}.jsonl")
            write_requests(path, lines)
            ours, script = checked(path, lines)
            peaks.append(ours.peak)
            print(
                f"{lines:>10,} lines  {ours.processor / script.processor:.2f} of the plain script's processor time, "
                f"{ours.peak / script.peak:.2f} of its memory"
            )
    more = peaks[-1] - peaks[0]
    print(f"{options.lines[-1] / options.lines[0]:,.0f} times the lines take {peaks[-1] / peaks[0]:.2f} of the memory")
    if more > CACHES:
        raise SystemExit(f"Memory grew by {more:,} bytes; the limit is {CACHES:,}.")


if __name__ == "__main__":
    main()
