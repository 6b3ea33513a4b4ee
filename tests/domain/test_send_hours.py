"""The hours in which a route sends: over midnight, on days of the week, in time zones, when a clock is changed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from batchd.domain.send_hours import SendHours


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


# 2026-11-30 is a Monday. What is open at the moment closes then; what is not opens then.
CASES = [
    (["00:30-08:30"], "2026-11-30 00:30", None, "2026-11-30 08:30"),
    (["00:30-08:30"], "2026-11-30 08:30", "2026-12-01 00:30", None),
    (["22:00-06:00"], "2026-11-30 05:59", None, "2026-11-30 06:00"),
    (["22:00-06:00"], "2026-11-30 12:00", "2026-11-30 22:00", None),
    (["00:30-08:30 Asia/Shanghai"], "2026-11-30 16:29", "2026-11-30 16:30", None),
    (["00:30-08:30 Asia/Shanghai"], "2026-11-30 20:00", None, "2026-12-01 00:30"),
    (["Sat-Sun"], "2026-11-30 10:00", "2026-12-05 00:00", None),
    (["Sat-Sun", "Mon-Fri 22:00-24:00"], "2026-12-04 23:00", None, "2026-12-07 00:00"),
    (["Fri 22:00-06:00"], "2026-12-05 05:00", None, "2026-12-05 06:00"),
    (["Fri 22:00-06:00"], "2026-12-04 05:00", "2026-12-04 22:00", None),
    (["Mon"], "2026-12-01 00:00", "2026-12-07 00:00", None),
    (["01:00-05:00 Europe/Berlin"], "2026-10-24 23:30", None, "2026-10-25 04:00"),  # the night is an hour longer
]


def test_hours_open_and_close() -> None:
    faults = []
    for texts, moment, opens, closes in CASES:
        hours, now = SendHours.read(texts), at(moment)
        if hours.opens_at(now) != (None if opens is None else at(opens)):
            faults.append(f"{texts} at {moment}: opens {hours.opens_at(now)}")
        if closes is not None and hours.closes_at(now) != at(closes):
            faults.append(f"{texts} at {moment}: closes {datetime.fromtimestamp(hours.closes_at(now), UTC)}")
    assert not faults, "\n".join(faults)


def test_what_is_no_hours_is_said() -> None:
    for text, words in {
        "": "no hours",
        "8-9": "no hours",
        "25:00-26:00": "begin and end",
        "08:00-08:00": "begin and end",
        "Moon 08:00-09:00": "no hours",
        "08:00-09:00 Asia/Atlantis": "no time zone",
        "Asia/Shanghai": "no hours",
        "08:00-09:00 ../etc": "no hours",
    }.items():
        with pytest.raises(ValueError, match=words):
            SendHours.read([text])
