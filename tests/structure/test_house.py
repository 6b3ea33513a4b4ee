"""The picture of the house is the one that today's imports give."""

from __future__ import annotations

from .house import PICTURE, draw


def test_the_picture_is_of_today() -> None:
    assert PICTURE.read_text("utf-8") == draw(), "draw it again: make house"
