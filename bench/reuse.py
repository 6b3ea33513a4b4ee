"""Measures the cost of reuse: planning rows with a cache of a hundred thousand answers, compared with planning without.

None of the rows is in the cache, which is the worst case. The result is the ratio of processor time.

    python bench/reuse.py [--rows 100000]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from throughput import write_reviews

from batchd.domain.routing import PluginSpec
from batchd.store.answer_cache import AnswerCache
from batchd.values import replace
from batchd.work.planning.plan import PlanTask, plan
from batchd.work.planning.reuse import Reuse
from batchd.work.reading.read import ReadTask, read

PROMPT = {
    "system": "You label product reviews. Answer as SENTIMENT|PUNCTUALITY|QUALITY.",
    "user": "Review: {{ review }}",
    "columns": ["sentiment", "punctuality", "quality"],
    "separator": "|",
}
KNOWN = 100_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        write_reviews(scratch / "may.csv", options.rows)
        builder = PluginSpec("template", PROMPT)
        rows = str(scratch / "rows.jsonl")
        done = read(ReadTask(str(scratch / "may.csv"), "may.csv", rows, 10_000, PluginSpec(""), builder))
        with AnswerCache.opened(scratch / "answers.db") as book:
            book.keep(((number.to_bytes(16, "big"), b"x" * 400) for number in range(KNOWN)), at=time.time())
        tasks = [
            PlanTask(
                job="k3j9x2ab",
                first=first,
                offset=offset,
                length=length,
                columns=done.columns,
                rows=rows,
                requests=str(scratch / "requests"),
                settled=None,
                failures=str(scratch / "failures"),
                builder=builder,
                common={"model": "small", "max_tokens": 50},
                endpoint="/v1/chat/completions",
                max_line_bytes=1_000_000,
            )
            for first, _, offset, length in done.parts
        ]
        reuse = Reuse("acme", str(scratch / "keys"), book=str(scratch / "answers.db"))
        ratios = []
        for _ in range(options.rounds):
            without = seconds(tasks)
            ratios.append(seconds([replace(task, reuse=reuse) for task in tasks]) / without)
        print(
            f"{options.rows:,} rows: planning with reuse takes {statistics.median(ratios):.2f} of the processor time "
            f"of planning without ({without / options.rows * 1e6:.1f} µs a row)"
        )


def seconds(tasks: list[PlanTask]) -> float:
    """Processor time for planning these parts."""
    begun = time.process_time()
    for task in tasks:
        plan(task)
    return time.process_time() - begun


if __name__ == "__main__":
    main()
