"""The key `send_between` of a route."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from batchd.config.tables import RouteTable

ROUTE = {"provider": "acme", "model": "small", "prompt": {"plugin": "template"}}


def test_hours_are_a_text_or_a_list() -> None:
    for value, text in {
        "00:30-08:30 Asia/Shanghai": "00:30-08:30 Asia/Shanghai",
        ("Sat-Sun", "22:00-06:00"): "Sat-Sun, 22:00-06:00",
    }.items():
        table = RouteTable.model_validate({**ROUTE, "send_between": value if isinstance(value, str) else list(value)})
        assert table.send_between is not None
        assert table.send_between.text == text
    assert RouteTable.model_validate(ROUTE).send_between is None


def test_what_is_no_hours_is_refused_in_words() -> None:
    for value, words in {8: "should be hours such as", "at night": "are no hours", "1:00-2:00": "are no hours"}.items():
        with pytest.raises(ValidationError, match=words):
            RouteTable.model_validate({**ROUTE, "send_between": value})
