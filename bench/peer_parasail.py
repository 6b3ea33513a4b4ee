"""The job of straight_script.py with Parasail's openai-batch, as its README shows. peers.py runs it in a venv."""

from __future__ import annotations

import csv
import json
import sys
import tempfile
from io import BufferedRandom, FileIO
from pathlib import Path

from openai_batch import Batch
from openai_batch.providers import Provider

SYSTEM = "You label product reviews. Answer as SENTIMENT|PUNCTUALITY|QUALITY."
PER_BATCH = 50_000


class Input(BufferedRandom):
    """An input file that is opened here: openai-batch 0.3.4 closes files that it opens itself before it reads them."""

    def __init__(self, path: Path) -> None:
        super().__init__(FileIO(path, "w+"))

    def write(self, line: str) -> int:  # type: ignore[override]
        return super().write(line.encode())


def main(source: Path, target: Path, base_url: str, poll: float) -> None:
    provider = Provider(name="bench", base_url=base_url, api_key="none")
    scratch = Path(tempfile.mkdtemp())
    answers: dict[str, str] = {}
    with source.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for first in range(0, len(rows), PER_BATCH):
        lines = Input(scratch / f"in-{first}.jsonl")
        with Batch(
            submission_input_file=lines,
            output_file=scratch / f"out-{first}.jsonl",
            error_file=scratch / f"errors-{first}.jsonl",
            custom_id_prefix=f"row-{first}",
            provider=provider,
        ) as batch:
            for row in rows[first : first + PER_BATCH]:
                batch.add_to_batch(
                    model="sandbox-small",
                    max_tokens=50,
                    temperature=0,
                    messages=[
                        {"role": "system", "content": SYSTEM},
                        {"role": "user", "content": f"Review: {row['review']}"},
                    ],
                )
            lines.seek(0)
            batch.submit_wait_download(interval=poll)
        with (scratch / f"out-{first}.jsonl").open(encoding="utf-8") as output:
            for line in output:
                answer = json.loads(line)
                content = answer["response"]["body"]["choices"][0]["message"]["content"]
                answers[answer["custom_id"]] = content
    with target.open("w", newline="", encoding="utf-8") as output:
        writer = csv.DictWriter(output, [*rows[0], "status", "answer"])
        writer.writeheader()
        for number, row in enumerate(rows):
            # openai-batch counts from 1 in each batch.
            first = number // PER_BATCH * PER_BATCH
            answer = answers.get(f"row-{first}-{number - first + 1}")
            writer.writerow({**row, "status": "failed" if answer is None else "ok", "answer": answer})


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], float(sys.argv[4]))
