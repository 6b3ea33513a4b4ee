"""The report for people: what it says, that nothing in it can act, and that it reads well in a browser."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchd.answers.joining import ResultLine
from batchd.delivery.report_html import report_html
from batchd.delivery.report_task import answers_of, failures_of
from batchd.people.language import Language
from batchd.work.collecting.summary import AnswerSummary, merged, summarize

from ..cases import pairs

EVIL = "</td><script>alert(1)</script><img src=x onerror=alert(2)>"
COLUMNS = ["mood", "mark", "words", "tags", f"name {EVIL}"]


def rows() -> Iterator[ResultLine]:
    """A thousand rows: each seventh failed, marks from 1 to 5, free text, lists, and cells that try to act."""
    for row in range(1000):
        if row % 7 == 0:
            yield ResultLine(row, False, code="length" if row % 2 else EVIL, message=f"Cut off. {EVIL}")
        else:
            mood = ["good", "bad", EVIL][row % 3]
            yield ResultLine(row, True, [mood, row % 5 + 1, f"text {row} {EVIL}", ["a", "b"][: row % 3], None])


def summary() -> AnswerSummary:
    return merged([summarize(list(rows())[:400], len(COLUMNS)), summarize(list(rows())[400:], len(COLUMNS))])


def report(**other: Any) -> dict[str, Any]:
    whole = summary()
    return {
        "job": "k3x9",
        "redelivered_from": None,
        "replaces": f"may{EVIL}.report.json",
        "source": f"reviews/may{EVIL}.csv",
        "outcome": "done",
        "route": "reviews",
        "provider": "openai",
        "model": EVIL,
        "prompt": "0123456789ab",
        "rows": {"total": 1000, "ok": 857, "failed": 143, "skipped": 0, "reused": 12},
        "tokens": {"estimated_answers": 3},
        "cost": {
            "estimated": 2.5, "actual": 1.2, "wasted": 0.1, "live_price": 2.4, "saved": 0.2, "currency": "USD",
        },
        "answered_by": [
            {"provider": "openai", "model": EVIL, "lane": "batch", "answers": 800, "cost": 1.0},
            {"provider": "other", "model": "m", "lane": "live", "answers": 57, "cost": 0.2},
        ],
        "files": ["reviews/may.results.csv", "reviews/may.failed.csv"],
        "timestamps": {
            "claimed": "2026-11-29T08:00:00+00:00",
            "accepted": "2026-11-29T08:00:02+00:00",
            "planned": None,
            "collected": "2026-11-29T11:30:00+00:00",
        },
        "answers": answers_of(whole, COLUMNS),
        "more_answer_columns": 0,
        "receipts": [{"sink": "database", "where": EVIL, "table": EVIL, "rows": 857}],
        "failures": failures_of(whole),
        "batchd": "0.2.0",
        **other,
    }  # fmt: skip


def page(language: Language | None = None, **other: Any) -> str:
    return report_html(report(**other), language or Language(), name="reviews/may.report.html").decode()


class Read(HTMLParser):
    """The text, and the elements with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, Mapping[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


def test_the_page_says_what_came_of_the_file():
    text = Read(page()).text
    for sentence in (
        "857 of 1,000 rows have an answer; 143 failed.",
        "1.20 USD",
        "50 % less than by live calls",
        "857 numbers from 1 to 5, on average 3",
        "Row 8: Cut off.",
        "The answer was cut off. Shorten the text of the row",
        "These rows are in may.failed.csv.",
        "11:30 (UTC)",
        "(after 3 h 29 min)",
        "The service did not count 3 answers.",
        "by live calls",
    ):
        assert sentence in text, sentence


def test_nothing_in_the_page_can_act_or_be_fetched():
    elements = Read(page()).elements
    tags = {tag for tag, _ in elements}
    assert not tags & {"script", "img", "iframe", "object", "embed", "link", "form", "a", "base", "animate", "set"}
    acting = [
        (tag, name) for tag, attributes in elements for name in attributes if name.startswith("on") or name == "style"
    ]
    assert not acting
    policy = next(
        each for tag, each in elements if tag == "meta" and each.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy["content"] == "default-src 'none'; style-src 'unsafe-inline'"
    assert "<script>alert(1)" in Read(page()).text, "it is shown as what it is: text"


def test_the_same_report_gives_the_same_page_in_either_language():
    assert page() == page()
    vietnamese = Read(page(Language("vi", "Asia/Ho_Chi_Minh"))).text
    assert "857 trên 1.000 dòng có câu trả lời; 143 dòng không thành công." in vietnamese
    assert "1,20 USD" in vietnamese
    assert "15:00 29/11/2026" in vietnamese


def test_a_job_without_answers_prices_or_rows_has_a_page_too():
    nothing = {"estimated": None, "actual": None, "wasted": None, "live_price": None, "saved": None, "currency": "USD"}
    text = Read(
        page(
            answers=[],
            failures=[],
            files=[],
            cost=nothing,
            outcome="cancelled",
            rows={"total": None, "ok": 0, "failed": 0, "skipped": 0, "reused": 0},
            empty_rows=3,
        )
    ).text
    assert "Cancelled." in text
    assert "3 rows have nothing to ask about" in text
    assert "not known" in text


def test_columns_are_counted_whatever_they_hold():
    lines = [
        ResultLine(0, True, [True, 0.5, "x" * 500, {"a": 1}, 10**400]),
        ResultLine(1, True, [False, -7, " ", [1, 2], float(10**18)]),
        ResultLine(2, True, [True, 12.25, None, [], "10"]),
    ]
    records = {record["column"]: record for record in answers_of(summarize(lines, 5), list("abcde"))}
    assert records["a"]["values"] == [{"value": "true", "rows": 2}, {"value": "false", "rows": 1}]
    numbers = records["b"]["numbers"]
    assert (numbers["low"], numbers["high"], sum(each["rows"] for each in numbers["bins"])) == (-7, 12.25, 3)
    assert records["c"]["empty"] == 2
    assert records["c"]["values"][0]["value"] == "x" * 79 + "…"
    assert {each["value"] for each in records["d"]["values"]} == {'{"a":1}', "[1,2]"}
    assert records["e"]["numbers"]["rows"] == 1


def test_a_column_with_very_many_texts_takes_no_more_room():
    many = summarize((ResultLine(row, True, [f"text number {row}"]) for row in range(5000)), 1)
    assert many.columns[0].values is None
    record = answers_of(merged([many, many]), ["a"])[0]
    assert record["values"] == []
    assert record["texts"]["rows"] == 10_000
    assert len(record["texts"]["examples"]) == 3


ANY_VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(
    st.lists(st.lists(ANY_VALUE, min_size=2, max_size=2), max_size=8),
    st.text(min_size=1),
    st.sampled_from(["en", "vi"]),
)
@pytest.mark.slow
def test_whatever_is_answered_there_is_a_page(answers: list[list[Any]], name: str, code: Any) -> None:
    whole = summarize([ResultLine(row, True, values) for row, values in enumerate(answers)], 2)
    records = answers_of(merged([whole, whole]), [name, "x"])
    for record in records:
        numbers = record["numbers"]
        assert numbers is None or sum(each["rows"] for each in numbers["bins"]) == numbers["rows"]
    assert page(Language(code), answers=records).endswith("</html>")


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("en", "from 1,100,000 to 1,369,000, on average 1,235,000"),
        ("vi", "từ 1.100.000 đến 1.369.000, trung bình 1.235.000"),
    ],
)
def test_large_numbers_have_plain_digits(code: Any, sentence: str) -> None:
    lines = [ResultLine(row, True, [number]) for row, number in enumerate((1_100_000, 1_369_134))]
    text = Read(page(Language(code), answers=answers_of(summarize(lines, 1), ["price"]))).text
    assert sentence in text
    assert "e+" not in text


@pytest.mark.parametrize(("low", "high"), [(-1.7e308, 1.7e308), (1e-320, 2e-320), (5.0, 5.0), (1.79e308, 1.79e308)])
def test_numbers_at_the_edge_have_bins(low: float, high: float) -> None:
    [record] = answers_of(summarize([ResultLine(0, True, [low]), ResultLine(1, True, [high])], 1), ["x"])
    assert sum(each["rows"] for each in record["numbers"]["bins"]) == 2
    page(answers=[record])


@pytest.mark.third
@pytest.mark.outside
@pytest.mark.slow
def test_a_browser_shows_it_on_a_phone_and_on_a_desk_in_light_and_dark(tmp_path):
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("Chromium is not installed")
    path = tmp_path / "may.report.html"
    path.write_text(page())
    said: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        for width, scheme in pairs((375, 1440), ("light", "dark")):
            view = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
            view.on("console", lambda message: said.append(message.text))
            view.on("dialog", lambda dialog: said.append(f"dialog {dialog.message}"))
            view.on("request", lambda request: said.append(request.url) if "may.report" not in request.url else None)
            view.goto(path.as_uri())
            assert view.evaluate("document.documentElement.scrollWidth") <= width
            contrast = view.evaluate(CONTRAST)
            assert contrast >= 4.5, f"text on its background at {width} in {scheme}: {contrast:.1f}"
            assert view.screenshot(path=tmp_path / f"{width}-{scheme}.png", full_page=True)
            view.close()
        browser.close()
    assert not said


CONTRAST = """() => {
  const light = rgb => {
    const part = rgb.match(/[0-9.]+/g).slice(0, 3).map(v => { v /= 255; return v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4 })
    return .2126 * part[0] + .7152 * part[1] + .0722 * part[2]
  }
  const back = element => {
    for (; element; element = element.parentElement) {
      const colour = getComputedStyle(element).backgroundColor
      if (!/, 0\\)$/.test(colour)) return colour
    }
    return 'rgb(255, 255, 255)'
  }
  return Math.min(...[...document.querySelectorAll('h1,h2,h3,p,dt,dd,small,th,td,li,.outcome,text')].map(element => {
    const style = getComputedStyle(element)
    const [one, other] = [light(element.tagName === 'text' ? style.fill : style.color), light(back(element))].sort((a, b) => b - a)
    return (one + .05) / (other + .05)
  }))
}"""


def test_what_batchd_says_of_failed_rows_is_in_the_language_of_the_page():
    message = "Line 4 has 3 cells, but the header has 2. Write a , for each empty cell."
    examples = [{"row": 2, "message": message}, {"row": 5, "message": "quota of gpt-5 exceeded"}]
    failures = [{"code": "ragged", "rows": 2, "examples": examples}]
    text = Read(page(Language("vi"), failures=failures)).text
    assert "Dòng 3: Dòng 4 có 3 ô, còn dòng tiêu đề có 2." in text
    assert "quota of gpt-5 exceeded" in text, "what a service says stays as it is"
    assert message in Read(page(failures=failures)).text


def test_each_step_of_a_chain_has_its_counts_and_its_cost():
    def step(route: str, ok: int, cost: float) -> dict[str, Any]:
        rows = {"total": 1000, "ok": ok, "failed": 1000 - ok, "skipped": 0}
        return {"route": route, "provider": "acme", "model": EVIL, "rows": rows, "cost": {"actual": cost}}

    steps = {"first_step": step("reviews", 900, 0.5), "steps": [step(f"why{EVIL}", 857, 0.7)]}
    for language, words in ((Language(), "The steps"), (Language("vi"), "Các bước")):
        whole = page(language, **steps)
        text = Read(whole).text
        assert words in text
        part = text[text.index(words) :]
        for each in ("reviews", "900", "857", "143", f"{language.number(0.5, digits=2)} USD"):
            assert each in part
        assert EVIL not in whole
    assert "The steps" not in page()
