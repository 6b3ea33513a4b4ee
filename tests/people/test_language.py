"""The catalogue of sentences, and how numbers and times are written."""

from __future__ import annotations

import re
import string
from datetime import UTC, datetime, timedelta
from pathlib import Path

import batchd
from batchd.people.language import LANGUAGES, Language, catalogue

HOME = Path(batchd.__file__).parent
EN, VI = Language("en"), Language("vi", "Asia/Ho_Chi_Minh")


def test_every_sentence_is_there_in_each_language_with_the_same_names():
    faults = []
    for key, sentences in catalogue().items():
        if set(sentences) != set(LANGUAGES):
            faults.append(f"{key}: {sorted(sentences)}")
            continue
        names = {
            code: {name for _, name, _, _ in string.Formatter().parse(sentences[code]) if name} for code in LANGUAGES
        }
        if len({frozenset(each) for each in names.values()}) > 1:
            faults.append(f"{key}: {names}")
        faults += [f"{key} is empty in {code}" for code in LANGUAGES if not sentences[code].strip()]
    assert not faults, "\n".join(faults)


def test_what_pages_and_code_say_is_in_the_catalogue_and_nothing_else_is():
    template = (HOME / "delivery" / "report.html.jinja").read_text()
    said = {f"report.{key}" for key in re.findall(r'\bsay\("(\w+)"', template)}
    for path in HOME.rglob("*.py"):
        said |= set(re.findall(r'\bsay\(\s*"(\w+\.\w+)"', path.read_text()))
        said |= set(re.findall(r'"((?:waiting|held)\.\w+)"', path.read_text()))
    # Said by a name that is put together: outcomes, ways, moments, and what to do about failures.
    built = {f"report.{key}" for key in ("done", "failed", "cancelled", "lane_batch", "lane_live")}
    built |= {f"report.{key}" for key in ("claimed", "accepted", "planned", "collected")}
    built |= {key for key in catalogue() if key.startswith(("advice.", "state."))}
    for path in (HOME / "web" / "templates").rglob("*.jinja"):
        said |= {f"page.{key}" for key in re.findall(r'\bsay\("(\w+)"[,)]', path.read_text())}
    for path in (HOME / "web").rglob("*.py"):
        said |= {f"page.{key}" for key in re.findall(r'\bsay\("(\w+)"[,)]', path.read_text())}
    kinds = ("state", "batch", "why", "group", "lang", "lane", "by", "chart", "sum", "limit", "received", "finished")
    built |= {key for key in catalogue() if key.startswith(tuple(f"page.{kind}_" for kind in kinds))}
    assert said - set(catalogue()) == set()
    assert set(catalogue()) - said - built == set()


def test_numbers_amounts_and_times_are_written_as_people_there_do():
    at = datetime(2026, 11, 29, 18, 5, tzinfo=UTC)
    assert [EN.number(1234567), VI.number(1234567)] == ["1,234,567", "1.234.567"]
    assert [EN.number(3.25), VI.number(3.25)] == ["3.25", "3,25"]
    # Six significant digits, and no exponent.
    large = [999_999.7, 1_234_567.0, -1_234_567.8, 2.5e14]
    assert [EN.number(each) for each in large] == ["1,000,000", "1,234,570", "-1,234,570", "250,000,000,000,000"]
    assert [VI.number(1_234_567.0), EN.number(1e300)] == ["1.234.570", "1e+300"]
    assert [EN.money(1234.5, "USD"), VI.money(1234.5, "VND")] == ["1,234.50 USD", "1.234,50 VND"]
    assert [EN.money(0.0045, "USD"), EN.money(0.00001, "USD"), EN.money(0, "USD")] == [
        "0.0045 USD",
        "< 0.0001 USD",
        "0.00 USD",
    ]
    assert EN.money(None, "USD") == "not known"
    # What is said to be the most is not less than it.
    assert [EN.at_most(614, 1_000_000, "USD"), VI.at_most(2_001_000, 1_000_000, "USD")] == ["0.0007 USD", "2,01 USD"]
    assert [EN.time(at), VI.time(at)] == ["29 Nov 2026, 18:05 (UTC)", "01:05 30/11/2026 (+07)"]
    assert [VI.soon(at, at - timedelta(hours=3)), EN.soon(at, at - timedelta(days=1))] == ["01:05", EN.time(at)]
    assert [EN.day(at.date()), VI.day(at.date())] == ["29 Nov", "29/11"]
    assert [EN.duration(59 * 60), EN.duration(3 * 3600 + 61), EN.duration(26 * 3600)] == [
        "59 min",
        "3 h 1 min",
        "1 d 2 h",
    ]
    assert VI.say("report.all_answered", rows=12000) == "Tất cả 12.000 dòng đều có câu trả lời."
