"""What services write into the records of their batches, in any form."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from batchd import read_moment


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine that is not in UTC."""
    with monkeypatch.context() as environment:
        environment.setenv("TZ", "Asia/Ho_Chi_Minh")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("zone")
@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (1_782_097_200, 1_782_097_200.0),
        (1_782_097_200_500, 1_782_097_200.5),
        ("2026-06-22T03:00:00Z", 1_782_097_200.0),
        ("2026-06-22T05:00:00+02:00", 1_782_097_200.0),
        ("2026-06-22T03:00:00", 1_782_097_200.0),
        ("2026-06-22", 1_782_086_400.0),
        *((nothing, None) for nothing in (0, -1, True, 1e300, float("nan"), None, "", "soon", "2" * 101, [], {})),
    ],
)
def test_a_moment_is_utc_unless_it_names_a_zone(written: Any, seconds: float | None) -> None:
    assert read_moment(written) == seconds
