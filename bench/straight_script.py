"""A plain script with the openai package, as a careful user would write it: the benchmark's baseline.

It reads a CSV of reviews, sends each row in a batch, and writes a CSV with the answers. It splits at the limit, streams
the download and matches by custom_id. It keeps no state: after a kill it starts from scratch.
"""

from __future__ import annotations

import csv
import json
import sys
import tempfile
import time
from pathlib import Path

from openai import OpenAI

SYSTEM = "You label product reviews. Answer as SENTIMENT|PUNCTUALITY|QUALITY."
PER_BATCH = 50_000


def main(source: Path, target: Path, base_url: str) -> None:
    client = OpenAI(base_url=base_url, api_key="none", max_retries=0)
    scratch = Path(tempfile.mkdtemp())
    answers: dict[str, str] = {}
    errors: dict[str, str] = {}
    files: list[Path] = []
    with source.open(newline="", encoding="utf-8") as rows:
        output = None
        for number, row in enumerate(csv.DictReader(rows)):
            if number % PER_BATCH == 0:
                if output is not None:
                    output.close()
                files.append(scratch / f"part-{number // PER_BATCH}.jsonl")
                output = files[-1].open("w", encoding="utf-8")
            request = {
                "custom_id": f"row-{number}",
                "method": "POST",
                "url": "/v1/chat/completions",
                "body": {
                    "model": "sandbox-small",
                    "max_tokens": 50,
                    "temperature": 0,
                    "messages": [
                        {"role": "system", "content": SYSTEM},
                        {"role": "user", "content": f"Review: {row['review']}"},
                    ],
                },
            }
            assert output is not None
            output.write(json.dumps(request) + "\n")
        if output is not None:
            output.close()
    batches = []
    for file in files:
        with file.open("rb") as lines:
            uploaded = client.files.create(file=(file.name, lines, "application/jsonl"), purpose="batch")
        batches.append(
            client.batches.create(input_file_id=uploaded.id, endpoint="/v1/chat/completions", completion_window="24h")
        )
    for batch in batches:
        while batch.status not in {"completed", "failed", "expired", "cancelled"}:
            time.sleep(0.1)
            batch = client.batches.retrieve(batch.id)
        for file_id in (batch.output_file_id, batch.error_file_id):
            if not file_id:
                continue
            downloaded = scratch / f"{file_id}.jsonl"
            with client.files.with_streaming_response.content(file_id) as response:
                response.stream_to_file(downloaded)
            with downloaded.open("rb") as lines:
                for line in lines:
                    answer = json.loads(line)
                    response_part = answer.get("response")
                    if response_part and response_part["status_code"] == 200:
                        answers[answer["custom_id"]] = response_part["body"]["choices"][0]["message"]["content"]
                    else:
                        errors[answer["custom_id"]] = str(answer.get("error") or response_part)
    with (
        source.open(newline="", encoding="utf-8") as rows,
        target.open("w", newline="", encoding="utf-8") as results,
    ):
        reader = csv.DictReader(rows)
        assert reader.fieldnames is not None
        names = [*reader.fieldnames, "sentiment", "punctuality", "quality", "status", "error"]
        writer = csv.DictWriter(results, names)
        writer.writeheader()
        for number, row in enumerate(reader):
            answer = answers.get(f"row-{number}")
            pieces = (answer or "").split("|")
            if answer is not None and len(pieces) == 3:
                labels = dict(zip(("sentiment", "punctuality", "quality"), pieces, strict=True))
                writer.writerow({**row, **labels, "status": "ok"})
            else:
                writer.writerow({**row, "status": "failed", "error": errors.get(f"row-{number}", "unparsable")})


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
