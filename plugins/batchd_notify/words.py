"""What messages say: names of files, and counts. Never what is in a file: a message leaves this machine."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from batchd import Event

Language = Literal["en", "vi"]
MAX_SUBJECT = 150
MAX_LINES = 100
"""Events that a message lists one by one."""
_DONE = {
    "JobFinished": ("done", "đã xong"),
    "JobRejected": ("not usable", "không dùng được"),
    "JobFailed": ("stopped", "đã dừng"),
    "JobHeld": ("held", "đang giữ lại"),
    "JobCancelled": ("cancelled", "đã hủy"),
}
"""The outcome of a file, for the subject."""
_LOOK_VI = "Để xem lý do: batchd status"
_LINES = {
    "JobRejected": (
        "{name} could not be used ({code}). The note beside it in the folder rejected says why.",
        "{name} không dùng được ({code}). Ghi chú bên cạnh tập tin trong thư mục rejected nêu lý do.",
    ),
    "JobFailed": ("{name} has stopped. To see why: batchd status {job}", f"{{name}} đã dừng. {_LOOK_VI} {{job}}"),
}
"""What happened to a file, in English and in Vietnamese."""
_SAYS_WHY = "batchd's log says why"
_QUOTES = ("job ", "sink ", "plugin ", "observer ", "order ")
"""Subjects of conditions begin so, if the text may come from a plugin or a database, and quote a row."""


def subject(events: Sequence[Event], language: Language = "en") -> str:
    """One line for all events: `batchd: 28 files done, 1 held`."""
    if len(events) == 1:
        said = f"batchd: {line(events[0], language)}"
        return said if len(said) <= MAX_SUBJECT else f"{said[: MAX_SUBJECT - 1]}…"
    vi = language == "vi"
    counts: Counter[str] = Counter(_DONE[event.kind][vi] if event.kind in _DONE else "" for event in events)
    told = [f"{_number(number, language)} {word}" for word, number in counts.items() if word]
    if told:
        number, _, word = told[0].partition(" ")
        told[0] = f"{number} {'tập tin' if vi else 'file' if number == '1' else 'files'} {word}"
    if counts[""]:
        others = "tin khác" if vi else f"other {'message' if counts[''] == 1 else 'messages'}"
        told.append(f"{_number(counts[''], language)} {others}")
    return f"batchd: {', '.join(told)}"


def body(events: Sequence[Event], language: Language = "en") -> str:
    """A line for each event, up to `MAX_LINES`."""
    lines = [f"- {line(event, language)}" for event in events[:MAX_LINES]]
    more = len(events) - len(lines)
    if more:
        number = _number(more, language)
        lines.append(
            f"- và {number} tin nữa: batchd status" if language == "vi" else f"- and {number} more: batchd status"
        )
    return "\n".join(lines) + "\n"


def line(event: Event, language: Language = "en") -> str:
    """What happened, on one line, without anything that was read out of a file."""
    event = without_quotes(event)
    data = event.data()
    name = str(data.get("source") or (f"Job {event.job}" if event.job else ""))
    kind, vi = event.kind, language == "vi"
    if kind == "JobFinished":
        said = _finished(name, data, language)
    elif kind in _LINES:
        said = _LINES[kind][vi].format(name=name, job=event.job, code=data.get("code"))
    elif kind == "JobHeld" and vi:
        then = "Việc sẽ tự tiếp tục khi ngân sách đủ." if data["waits"] else f"{_LOOK_VI} {event.job}"
        said = f"{name} đang giữ lại. {then}"
    else:
        said = event.sentence
    return _one_line(said)


def _finished(name: str, data: Mapping[str, Any], language: Language) -> str:
    vi = language == "vi"
    words = {"ok": ("answered", "có câu trả lời"), "failed": ("failed", "không thành công")}
    words["skipped"] = ("not asked", "không hỏi")
    told = [f"{_number(data[key], language)} {word[vi]}" for key, word in words.items() if key == "ok" or data[key]]
    outcomes = {
        "done": ("is done", "đã xong"),
        "failed": ("is done, and counts as failed", "đã xong nhưng tính là không thành công"),
        "cancelled": ("was cancelled", "đã bị hủy"),
    }
    outcome = outcomes.get(data["outcome"], outcomes["done"])[vi]
    report = f"Báo cáo: {data['report']}." if vi else f"The report is {data['report']}."
    return f"{name} {outcome}: {', '.join(told)}. {report}"


def without_quotes(event: Event) -> Event:
    """The event without text from elsewhere, which may quote what is in a file or what was answered."""
    values = event.data()
    if event.kind == "ConditionRaised" and str(values["subject"]).startswith(_QUOTES):
        return _with(event, text="Something is wrong. To see what: batchd status")
    safe = event.kind == "BatchHeld" or (event.kind == "JobHeld" and values["code"] not in (None, "useless"))
    return event if safe or not values.get("reason") else _with(event, reason=_SAYS_WHY)


def _with(event: Event, **values: Any) -> Event:
    """The same event with other values. Its fields depend on its kind."""
    return dataclasses.replace(event, **values)


def record(event: Event) -> dict[str, Any]:
    """The event for programs. Reasons that may quote a file are left out."""
    data = without_quotes(event).data()
    if data.get("reason") == _SAYS_WHY:
        del data["reason"]
    return {
        "id": event.id,
        "at": event.at,
        "kind": event.kind,
        "severity": event.severity,
        "job": event.job,
        "batch": event.batch,
        "text": line(event),
        "data": data,
    }


def encoded(event: Event) -> bytes:
    """The record of an event as JSON."""
    return json.dumps(record(event), ensure_ascii=False).encode("utf-8", "replace")


def _number(number: int, language: Language) -> str:
    text = f"{number:,}"
    return text.replace(",", ".") if language == "vi" else text


def _one_line(text: str) -> str:
    """The text on one line: a name may hold line ends, escapes or bytes that are no text, and must not forge a mail."""
    plain = " ".join(text.split()).encode("utf-8", "replace").decode()
    return "".join(each if each.isprintable() else "?" for each in plain)
