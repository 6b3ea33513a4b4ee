"""The report for people: `<name>.report.html` in the outbox, one page that needs nothing else and runs no script."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import jinja2
from msgspec import Struct

from ..people.language import Language, catalogue
from ..people.reasons import reason_in
from .charts import bars

MAX_BARS = 12

# At import, read the catalogue and compile the template: the process that forks the workers does it once for all.
catalogue()
_TEMPLATE = jinja2.Environment(
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    loader=jinja2.PackageLoader(__package__, ""),
).get_template("report.html.jinja")


class _Column(Struct, frozen=True):
    """What the page shows of one answer column. `bars` are values with their rows and their share in percent."""

    name: str
    chart: str
    bars: Sequence[tuple[str, int, str]]
    numbers: str
    texts: str
    examples: Sequence[str]
    empty: int


def report_html(report: Mapping[str, Any], language: Language, *, name: str) -> bytes:
    """The page for a report of `report_json`; `name` is that of its file. The same report gives the same bytes.

    The template escapes all text from the file, the answers and the service.
    """
    cost = report["cost"]
    page = _TEMPLATE.render(
        code=language.code,
        say=lambda key, **values: language.say(f"report.{key}", **values),
        number=language.number,
        money=lambda amount: language.money(amount, cost["currency"]),
        lane=lambda lane: language.say(f"report.lane_{lane}") if language.knows(f"report.lane_{lane}") else lane,
        file=posixpath.basename(report["source"]),
        report=report,
        steps=[report["first_step"], *report["steps"]] if report.get("steps") else [],
        sentence=_sentence(report["rows"], report.get("empty_rows", 0), language),
        cheaper=_cheaper(cost),
        columns=[_column(column, language) for column in report["answers"]],
        more_columns=report["more_answer_columns"],
        failures=[_failure(each, language) for each in report["failures"]],
        failed_file=next((posixpath.basename(each) for each in report["files"] if ".failed." in each), None),
        line=_time_line(report["timestamps"], language),
        json_file=f"{posixpath.basename(name).removesuffix('.html')}.json",
    )
    # A lone surrogate, which a file name that is not UTF-8 has too, cannot be written.
    return page.encode("utf-8", "replace")


def _sentence(rows: Mapping[str, int], empty: int, language: Language) -> str:
    total = rows["total"] or 0
    said = []
    if rows["ok"] == total:
        said.append(language.say("report.all_answered", rows=total))
    else:
        said.append(language.say("report.some_failed", ok=rows["ok"], rows=total, failed=rows["failed"]))
    if empty:
        said.append(language.say("report.some_empty", empty=empty))
    if rows["skipped"] > empty:
        said.append(language.say("report.some_skipped", skipped=rows["skipped"] - empty))
    return " ".join(said)


def _cheaper(cost: Mapping[str, Any]) -> int:
    """By how many percent the job cost less than live calls would, 0 if that is not known."""
    if not cost["live_price"] or cost["actual"] is None:
        return 0
    share: float = cost["actual"] / cost["live_price"]
    return max(0, round(100 * (1 - share)))


def _column(record: Mapping[str, Any], language: Language) -> _Column:
    numbers, texts = record["numbers"], record["texts"]
    shown: list[tuple[str, int]] = [(each["value"], each["rows"]) for each in record["values"][:MAX_BARS]]
    rest = record["values"][MAX_BARS:]
    others = record["other_values"] or {"values": 0, "rows": 0}
    if rest or others["values"]:
        rows = sum(each["rows"] for each in rest) + others["rows"]
        shown.append((language.say("report.others", values=len(rest) + others["values"]), rows))
    said = ""
    if numbers is not None:
        shown += [(_range(each, language), each["rows"]) for each in numbers["bins"]]
        low, high, mean = (language.number(float(f"{numbers[key]:.4g}")) for key in ("low", "high", "mean"))
        said = language.say("report.numbers", rows=numbers["rows"], low=low, high=high, mean=mean)
    total = sum(rows for _, rows in shown) or 1
    name = record["column"]
    return _Column(
        name=name,
        chart=bars(shown, label=language.say("report.chart", column=name)) if shown else "",
        bars=[(value, rows, language.number(100 * rows / total, digits=1)) for value, rows in shown],
        numbers=said,
        texts=language.say("report.texts", rows=texts["rows"], characters=texts["characters"]) if texts else "",
        examples=texts["examples"] if texts else (),
        empty=record["empty"],
    )


def _range(each: Mapping[str, float], language: Language) -> str:
    low, high = (language.number(float(f"{each[key]:.3g}")) for key in ("from", "to"))
    return low if low == high else language.say("report.range", low=low, high=high)


def _failure(failure: Mapping[str, Any], language: Language) -> dict[str, Any]:
    """Add advice, and put batchd's own messages into the language of the page. Messages of others stay as they are."""
    said = [{**each, "message": reason_in(each["message"], language.code)} for each in failure["examples"]]
    key = f"advice.{failure['code']}"
    return {**failure, "examples": said, "advice": language.say(key if language.knows(key) else "advice.other")}


def _time_line(timestamps: Mapping[str, str | None], language: Language) -> list[tuple[str, str, str]]:
    """Each event with its time, and the time that had passed since the event before it."""
    line: list[tuple[str, str, str]] = []
    before: datetime | None = None
    for event in ("claimed", "accepted", "planned", "collected"):
        moment = timestamps[event]
        if moment is None:
            continue
        at = datetime.fromisoformat(moment)
        passed = (at - before).total_seconds() if before is not None else 0.0
        later = language.say("report.later", time=language.duration(passed)) if passed >= 60 else ""
        line.append((language.say(f"report.{event}"), language.time(at), later))
        before = at
    return line
