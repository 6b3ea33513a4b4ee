"""Compares counting the tokens of many short rows with building their requests.

Prints the CPU seconds of both in this process, and their ratio, which is the result: about 1.1 with the vocabulary of
the extra `tokens`, 0.2 without it. The texts are made up, and no two are the same.

    python bench/tokens.py [--rows 1000000] [--model gpt-4o-mini] [--bytes] [--within 2]
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice

from batchd.contracts import PromptBuilder
from batchd.domain import rows
from batchd.model import Row
from batchd.money import tokens
from batchd.plugin.catalogue import Catalogue
from batchd.requests.rules import BodyRules

TEXT = (
    "the a of and to in is it was for on that with as this but be have not they you at or from had his are were by "
    "good bad late early broken giao hàng nhanh chậm tốt hỏng box colour ordered again never arrived days weeks "
    "package customer service replied friendly refund cheap quality disappointed wonderful recommend everyone "
    "delivery courier scratched Verpackung Lieferung schnell zufrieden enttäuscht très bien livraison rapide cassé"
)
WORDS = TEXT.split()
GOAL = 1.2
"""Times the building of the requests."""
COMMON = {"model": "gpt-4o-mini", "max_tokens": 50, "temperature": 0}
PROMPT = {
    "system": "You label product reviews. Answer as SENTIMENT|PUNCTUALITY|QUALITY.",
    "user": "Review: {{ review }}",
    "columns": ["sentiment", "punctuality", "quality"],
    "separator": "|",
}


def lines(number: int) -> Iterator[bytes]:
    """Rows as they are stored, the same each time. A quarter of them has quotes or line breaks."""
    chance = random.Random(7)
    for each in range(number):
        text = " ".join(chance.choices(WORDS, k=chance.randint(8, 40)))
        odd = ("", "", "", f'\n"{chance.choice(WORDS)}"')[each % 4]
        yield rows.encode([str(each), f"{text}, {chance.randint(1, 10_000)}.{odd}"])


def requests(builder: PromptBuilder, encoded: Iterator[bytes]) -> Iterator[bytes]:
    """The requests of rows, as planning builds them."""
    columns, rules = ["id", "review"], BodyRules("/v1/chat/completions", COMMON["model"])
    decoded = (Row(number, columns, rows.decode(line)) for number, line in enumerate(encoded))  # type: ignore[arg-type]
    for body in builder.encode(decoded, COMMON):
        assert isinstance(body, bytes)
        rules.read(body)
        yield body


def seconds(work: Callable[[], object]) -> float:
    """CPU seconds of this process."""
    before = time.process_time()
    work()
    return time.process_time() - before


def main() -> None:
    """Measure in pieces, so that both run under the same conditions."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--model", default=COMMON["model"])
    parser.add_argument("--bytes", action="store_true", help="measure without the extra")
    parser.add_argument("--within", type=float, help="end with 1 if counting is above its goal times this")
    options = parser.parse_args()
    if options.bytes:
        sys.modules["splintr"] = None  # type: ignore[assignment]
    builder = Catalogue.load().create("prompt_builder", "template", PROMPT)
    encoded = lines(options.rows)
    # Loaded once per process, however many rows it counts.
    loading = seconds(lambda: tokens.vocabulary(options.model))
    building = counting = 0.0
    counted = 0
    while piece := list(islice(encoded, 10_000)):
        bodies: list[bytes] = []
        building += seconds(lambda: bodies.extend(requests(builder, iter(piece))))  # noqa: B023
        total: list[int] = []
        # One counter for each part, as in planning.
        counting += seconds(lambda: total.append(sum(map(tokens.counter(options.model), bodies))))  # noqa: B023
        counted += total[0]
    unit = tokens.vocabulary(options.model) or "bytes"
    print(f"{options.rows:,} rows, {counted:,} tokens, {counted / options.rows:.1f} per row, counted by {unit}")
    print(f"loading the vocabulary {loading:.2f} s, once per process")
    print(f"building {building:.2f} s, {building / options.rows * 1e6:.2f} µs per row")
    print(f"counting {counting:.2f} s, {counting / options.rows * 1e6:.2f} µs per row")
    ratio = counting / building
    print(f"counting takes {ratio:.2f} of building, goal {GOAL}")
    if options.within is not None and ratio > GOAL * options.within:
        raise SystemExit("Counting takes longer than it should.")


if __name__ == "__main__":
    main()
