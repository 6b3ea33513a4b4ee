"""The picture of the layers is the one that today's imports give."""

from __future__ import annotations

from .picture import PICTURE, draw


def test_the_picture_is_of_today() -> None:
    assert PICTURE.read_text("utf-8") == draw(), "draw it again: make picture"
