"""`batchd review`: how far people agree with the answers, from a sample that they have checked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..status.formatting import clean, count
from .call import echo_json, json_option
from .file_argument import FILE

if TYPE_CHECKING:
    from ..work.review import Reviewed

SHOWN = 20
"""Comments, and words that were not understood, that are shown; `--json` has all of them."""


@click.command()
@click.argument("file", metavar="FILE", type=FILE)
@json_option
def review(file: Path, *, as_json: bool) -> None:
    """Count how many answers of a checked sample people agree with.

    A route with `review = 50` puts 50 answered rows into NAME.review.csv. Write yes or no into its column agree, and
    what you think into comment; save it as CSV and give it to this command. Rows left empty do not count.

    \b
    Examples:
      batchd review may.review.csv
      batchd review may.review.csv --json
    """
    from ..work.review import read_review

    reviewed = read_review(file)
    if as_json:
        echo_json(_record(reviewed))
    else:
        click.echo("\n".join(_lines(reviewed)))


def _record(reviewed: Reviewed) -> dict[str, object]:
    share = reviewed.share
    return {
        "rows": reviewed.rows,
        "agreed": reviewed.agreed,
        "disagreed": reviewed.disagreed,
        "share_agreed": share[0] if share else None,
        "between": list(share[1:]) if share else None,
        "not_understood": [{"row": row, "text": text} for row, text in reviewed.unread],
        "comments": [{"row": row, "text": text} for row, text in reviewed.comments],
    }


def _lines(reviewed: Reviewed) -> list[str]:
    share = reviewed.share
    checked = reviewed.agreed + reviewed.disagreed
    if share is None:
        lines = ["No row has yes or no in its column agree yet."]
    else:
        lines = [
            f"Agreed: {reviewed.agreed:,} of {count(checked, 'checked row')}, {share[0]:.0%}.",
            f"Of all answered rows of the file, between {share[1]:.0%} and {share[2]:.0%} (with 95 % confidence).",
        ]
    if reviewed.rows > checked:
        lines.append(f"{count(reviewed.rows - checked, 'row')} not checked.")
    lines += [f"Row {row}: {clean(text)} is neither yes nor no." for row, text in reviewed.unread[:SHOWN]]
    lines += [f"Row {row}: {clean(text)}" for row, text in reviewed.comments[:SHOWN]]
    return lines
