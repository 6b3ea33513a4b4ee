"""Names of columns in a file and in a prompt: which are the same, and how a name is shown."""

from __future__ import annotations

import pytest

from batchd.domain.words import matched, shown

pytestmark = pytest.mark.field("files")


@pytest.mark.parametrize(
    ("columns", "needed", "named"),
    [
        (["id", "review"], ["review"], ["id", "review"]),
        (["id", "Review"], ["review"], ["id", "review"]),
        (["id", "review\u200b"], ["review"], ["id", "review"]),
        (["\ufeffreview", "id"], ["review"], ["review", "id"]),
        (["re\xadview"], ["review"], ["review"]),
        (["re\x07view\x00"], ["review"], ["review"]),
        (["my\nreview"], ["my review"], ["my review"]),
        (["Nhận\xa0Xét"], ["nhận xét"], ["nhận xét"]),
        (["ｒｅｖｉｅｗ"], ["review"], ["review"]),
        (["nha\u0323\u0302n"], ["nhận"], ["nhận"]),
        (["review", "Review"], ["review"], ["review", "Review"]),
        (["REVIEW", "Review"], ["review"], ["REVIEW", "Review"]),
        (["review\u200b", "Review"], ["review"], ["review", "Review"]),
        (["reviews"], ["review"], ["reviews"]),
        (["Review"], ["review", "REVIEW"], ["review"]),
    ],
)
def test_a_name_matches_if_only_one_column_does(columns: list[str], needed: list[str], named: list[str]) -> None:
    assert matched(columns, needed) == named


def test_what_nobody_sees_is_shown_by_name() -> None:
    assert shown("review\u200b") == "review[ZERO WIDTH SPACE]"
    assert shown("a\xa0b c") == "a[NO-BREAK SPACE]b c"
    assert shown("nhận xét") == "nhận xét"
    assert shown("a\x00") == "a[U+0000]"
