"""flexllm on a CSV of reviews, as its documentation shows it: the peer of bench/live.py, run by a Python that has it.

python bench/live_flexllm.py reviews.csv results.csv URL
"""

from __future__ import annotations

import asyncio
import csv
import sys
import warnings
from pathlib import Path

SYSTEM = "You label product reviews. Answer as SENTIMENT|PUNCTUALITY|QUALITY."
AT_ONCE = 64


async def main(source: Path, target: Path, base_url: str) -> None:
    from flexllm import LLMClient  # type: ignore[import-not-found]  # installed beside, by the benchmark alone

    with source.open(newline="", encoding="utf-8") as rows:
        reviews = list(csv.DictReader(rows))
    client = LLMClient(
        provider="openai",
        base_url=base_url,
        api_key="none",
        model="bench",
        concurrency_limit=AT_ONCE,
        max_qps=1_000_000,
    )
    answers = await client.chat_completions_batch(
        [
            [{"role": "system", "content": SYSTEM}, {"role": "user", "content": f"Review: {row['review']}"}]
            for row in reviews
        ],
        show_progress=False,
        output_jsonl=str(target.with_suffix(".jsonl")),
        max_tokens=50,
        temperature=0,
    )
    names = [*reviews[0], "answer", "status"]
    with target.open("w", newline="", encoding="utf-8") as results:
        writer = csv.DictWriter(results, names)
        writer.writeheader()
        for row, answer in zip(reviews, answers, strict=True):
            writer.writerow({**row, "answer": answer, "status": "ok" if answer else "failed"})


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]))
