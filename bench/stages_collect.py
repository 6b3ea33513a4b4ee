"""Measures the work on answers after their download: they are given to their parts, joined with rows, rendered.

Each stage is compared with a lean loop that writes the same results and the same table, and knows nothing of failures,
duplicates, prices or odd lines. Both run in this process, one after the other. The result is the ratio of processor
time, best of three; the tables are compared byte by byte.

    python bench/stages_collect.py [--rows 100000] [--rounds 3]
"""

from __future__ import annotations

import argparse
import csv
import io
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import msgspec
from throughput import write_reviews

from batchd.domain.routing import PluginSpec
from batchd.domain.rows import Run
from batchd.file_sink import Shape
from batchd.money.lanes import Lane
from batchd.work.collecting.batch_index import Rows
from batchd.work.collecting.collect import CollectTask, collect
from batchd.work.collecting.distribute import DistributeTask, Share, SurveyTask, distribute, survey
from batchd.work.collecting.render import RenderTask
from batchd.work.collecting.summary import SummaryTask
from batchd.workers import worker_plugins

JOB = "k3j9x2ab"
PART = 10_000
GOAL = 1.4
"""Times the lean loop: what collecting with rendering may take."""
COLUMNS = ["id", "product", "stars", "review"]
ANSWERS = ["sentiment", "punctuality", "quality"]
PROMPT = {"system": "Label it.", "user": "Review: {{ review }}", "columns": ANSWERS, "separator": "|"}
WORDS = ["positive", "negative", "neutral", "late", "on time", "good", "bad", "broken", "không rõ", "very good indeed"]
Parts: TypeAlias = list[tuple[int, int, int, int]]
"""First row, number of rows, offset and length in rows.jsonl of each."""
Stage: TypeAlias = Callable[[Path, Parts], None]


def make(folder: Path, rows: int) -> Parts:
    """Write the files of a batch that was answered; return its parts."""
    write_reviews(folder / "reviews.csv", rows)
    chance = random.Random(11)
    encode = msgspec.json.Encoder().encode
    parts: Parts = []
    with (
        (folder / "reviews.csv").open(newline="", encoding="utf-8") as dropped,
        (folder / "rows.jsonl").open("wb") as read,
        (folder / "requests.jsonl").open("wb") as requests,
        (folder / "answers.jsonl").open("wb") as answers,
    ):
        table = csv.reader(dropped)
        next(table)
        for number, values in enumerate(table):
            if number % PART == 0:
                parts.append((number, min(PART, rows - number), read.tell(), 0))
            read.write(encode(values) + b"\n")
            first, count, offset, _ = parts[-1]
            parts[-1] = (first, count, offset, read.tell() - offset)
            body = {"model": "small", "max_tokens": 50, "messages": [{"role": "user", "content": values[-1]}]}
            request = {"custom_id": f"{JOB}-{number}", "method": "POST", "url": "/v1/chat/completions", "body": body}
            requests.write(encode(request) + b"\n")
            if number == first:
                # Of a part's own requests, only the first is read, and its answer is like any other.
                (folder / f"{first}.requests").write_bytes(encode(request) + b"\n")
            text = " | ".join(chance.choices(WORDS, k=3))
            given, written = chance.randint(50, 99), chance.randint(5, 20)
            answers.write(encode(_answer(number, text, given, written)) + b"\n")
    return parts


def _answer(number: int, text: str, given: int, written: int) -> dict[str, object]:
    message = {"role": "assistant", "content": text, "refusal": None, "annotations": []}
    details = dict.fromkeys(("reasoning", "audio", "accepted_prediction", "rejected_prediction"), 0)
    body = {
        "id": f"chatcmpl-{number:029}",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": "small-2026-01-01",
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": {
            "prompt_tokens": given,
            "completion_tokens": written,
            "total_tokens": given + written,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {f"{name}_tokens": number for name, number in details.items()},
        },
        "service_tier": "default",
        "system_fingerprint": "fp_0123456789",
    }
    response = {"status_code": 200, "request_id": f"{number:032x}", "body": body}
    return {"id": f"batch_req_{number:024x}", "custom_id": f"{JOB}-{number}", "response": response, "error": None}


class _Message(msgspec.Struct):
    content: str


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str


class _Usage(msgspec.Struct):
    prompt_tokens: int
    completion_tokens: int


class _Body(msgspec.Struct):
    choices: list[_Choice]
    usage: _Usage


class _Response(msgspec.Struct):
    body: _Body


class _Line(msgspec.Struct):
    custom_id: str
    response: _Response


def lean(folder: Path, parts: Parts) -> None:
    """Write the same results and the same table, in as few steps as Python allows."""
    decode, rows = msgspec.json.Decoder(_Line).decode, msgspec.json.Decoder().decode
    encode = msgspec.json.Encoder().encode
    with (folder / "answers.jsonl").open("rb") as answers, (folder / "rows.jsonl").open("rb") as read:
        for first, count, _, _ in parts:
            given = written = 0
            found: list[tuple[int, list[str], list[int]]] = []
            for _ in range(count):
                line = decode(answers.readline())
                usage, choice = line.response.body.usage, line.response.body.choices[0]
                given += usage.prompt_tokens
                written += usage.completion_tokens
                pieces = [piece.strip() for piece in choice.message.content.split("|")]
                if choice.finish_reason != "stop" or len(pieces) != len(ANSWERS):
                    raise SystemExit("the lean loop knows no failures")
                row = int(line.custom_id.rpartition("-")[2])
                found.append((row, pieces, [usage.prompt_tokens, 0, usage.completion_tokens]))
            found.sort()
            with (folder / f"lean.{first}.results").open("wb") as results:
                for row, pieces, tokens in found:
                    results.write(encode((row, True, pieces, None, None, tokens, None, False, False)) + b"\n")
            table = io.StringIO()
            add = csv.writer(table, lineterminator="\n").writerow
            for _, pieces, _ in found:
                add([*rows(read.readline()), *pieces, "ok", ""])
            (folder / f"lean.{first}.csv").write_bytes(table.getvalue().encode())


def looked_through(folder: Path, parts: Parts) -> None:
    """Do what is done with the answers of a batch before its parts are collected."""
    (folder / "answers.index").unlink(missing_ok=True)
    answers, requests = str(folder / "answers.jsonl"), str(folder / "requests.jsonl")
    asked = [Rows(JOB, first, count) for first, count, _, _ in parts]
    assert survey(SurveyTask(answers, asked, requests)).ours == sum(count for _, count, _, _ in parts)
    shares = [Share(JOB, first, count, str(folder / f"{first}.answers")) for first, count, _, _ in parts]
    distribute(DistributeTask(answers, shares, str(folder / "strays"), requests, str(folder / "answers.b.jsonl")))


def collected(folder: Path, parts: Parts) -> None:
    """Collect and render, one part after the other."""
    shape = Shape(JOB, COLUMNS, ANSWERS)
    for first, count, offset, length in parts:
        run = Run(str(folder / "rows.jsonl"), offset, length, first, count, COLUMNS, None, cancelled=False)
        done = collect(
            CollectTask(
                first,
                count,
                str(folder / f"{first}.answers"),
                None,
                str(folder / f"{first}.results"),
                PluginSpec("template", PROMPT),
                1,
                3,
                Lane.BATCH,
                summary=SummaryTask(None, len(ANSWERS), str(folder / f"{first}.summary")),
                renders=[RenderTask(run, shape, PluginSpec("csv", {}), str(folder / f"{first}.piece"))],
                job=JOB,
                requests=str(folder / f"{first}.requests"),
            )
        )
        assert (done.ok, len(done.rendered)) == (count, 1)


def compare(folder: Path, parts: Parts) -> None:
    """Raise SystemExit if the lean loop and batchd have different results or tables."""
    for first, *_ in parts:
        if (folder / f"lean.{first}.csv").read_bytes() != (folder / f"{first}.piece.results.csv").read_bytes():
            raise SystemExit(f"The tables of the part from row {first} on differ.")
        pairs = zip(
            (folder / f"lean.{first}.results").open("rb"), (folder / f"{first}.results").open("rb"), strict=True
        )
        if any(msgspec.json.decode(one)[:6] != msgspec.json.decode(other)[:6] for one, other in pairs):
            raise SystemExit(f"The results of the part from row {first} on differ.")


def processor(stage: Stage, folder: Path, parts: Parts) -> float:
    """Seconds of processor time, user's and system's."""
    started = time.process_time()
    stage(folder, parts)
    return time.process_time() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--within", type=float, help="end with 1 if collecting is above its goal times this")
    options = parser.parse_args()
    worker_plugins.prepare()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        parts = make(folder, options.rows)
        stages = (lean, looked_through, collected)
        best = dict.fromkeys(stages, float("inf"))
        for _ in range(options.rounds):
            for stage in stages:
                best[stage] = min(best[stage], processor(stage, folder, parts))
        compare(folder, parts)
        for stage, seconds in best.items():
            each = seconds / options.rows * 1e6
            print(f"{stage.__name__:16} {each:6.2f} µs a row  {seconds / best[lean]:5.2f} × lean")
    if options.within is not None and best[collected] > best[lean] * GOAL * options.within:
        raise SystemExit("Slower than it should be: collecting")


if __name__ == "__main__":
    main()
