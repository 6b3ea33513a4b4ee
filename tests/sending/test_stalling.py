"""When a batch counts as standing still, and what is done about it."""

from __future__ import annotations

import pytest

from batchd.domain.records import Batch, BatchState, Moment
from batchd.model import BatchPhase, BatchStatus
from batchd.sending.stalling import StallDecision, decide_stall, unmoved_since
from batchd.values import replace

HOUR = 3_600.0
DAY = 24 * HOUR
VALIDATING, IN_PROGRESS, FINALIZING, CANCELLING = list(BatchPhase)[:4]
START = Moment(at=1_000_000.0, steady=5_000.0, boot="this boot")
BATCH = Batch(
    key="b",
    provider="acme",
    model="small",
    endpoint="/v1/chat/completions",
    state=BatchState.SUBMITTED,
    requests=10,
    size=1,
    input_tokens=1,
    created_at=START.at,
    submitted_at=START.at,
    phase=IN_PROGRESS,
    total=10,
    completed=3,
)
STATUS = BatchStatus(IN_PROGRESS, total=10, completed=3)


def after(seconds: float, *, boot: str = START.boot, up: float | None = None) -> Moment:
    """So long after the start; after a reboot, with so much uptime."""
    return Moment(at=START.at + seconds, steady=START.steady + seconds if up is None else up, boot=boot)


@pytest.mark.parametrize(
    ("phase", "age", "quiet", "judgement"),
    [
        (IN_PROGRESS, 23 * HOUR, 23 * HOUR, StallDecision.WAIT),  # within its window it may do as it likes
        (IN_PROGRESS, 24.4 * HOUR, 24.4 * HOUR, StallDecision.WAIT),
        (IN_PROGRESS, 24.5 * HOUR, 24.5 * HOUR, StallDecision.STOP),
        (VALIDATING, 24.5 * HOUR, 24.5 * HOUR, StallDecision.STOP),
        (IN_PROGRESS, 50 * HOUR, 5 * HOUR, StallDecision.WAIT),  # Azure never expires a batch, and does get there
        (IN_PROGRESS, 50 * HOUR, 6 * HOUR, StallDecision.STOP),
        (FINALIZING, 24.5 * HOUR, 23.9 * HOUR, StallDecision.WAIT),  # all paid: only the files are awaited
        (FINALIZING, 48 * HOUR, 24 * HOUR, StallDecision.STOP),
        (CANCELLING, 24.5 * HOUR, 6 * HOUR, StallDecision.STOP),  # not by us, and it does not come to its end either
    ],
)
def test_a_batch_is_stopped_long_after_its_window_if_nothing_moves(
    phase: BatchPhase, age: float, quiet: float, judgement: StallDecision
) -> None:
    assert decide_stall(BATCH, phase, progress=after(age - quiet), now=after(age), window=DAY) is judgement


def test_the_window_is_the_services() -> None:
    said = decide_stall(BATCH, IN_PROGRESS, progress=START, now=after(6 * DAY), window=7 * DAY)
    assert said is StallDecision.WAIT
    assert decide_stall(BATCH, IN_PROGRESS, progress=START, now=after(7.1 * DAY), window=7 * DAY) is StallDecision.STOP


def test_one_that_was_to_be_stopped_and_goes_on_is_left() -> None:
    stopping = replace(BATCH, stopping=after(25 * HOUR))
    assert decide_stall(stopping, IN_PROGRESS, progress=START, now=after(30.9 * HOUR), window=DAY) is StallDecision.WAIT
    assert decide_stall(stopping, IN_PROGRESS, progress=START, now=after(31 * HOUR), window=DAY) is StallDecision.LEAVE
    moving = after(30.9 * HOUR)
    assert decide_stall(stopping, CANCELLING, progress=moving, now=after(31 * HOUR), window=DAY) is StallDecision.LEAVE


def test_a_clock_that_jumps_stops_nothing() -> None:
    # The wall says that two days have gone by, the clock that never jumps says a minute.
    now = replace(after(2 * DAY), steady=START.steady + 60)
    assert decide_stall(BATCH, IN_PROGRESS, progress=START, now=now, window=DAY) is StallDecision.WAIT
    # Across a reboot there is only the wall; one that was set back makes us wait.
    assert (
        decide_stall(BATCH, IN_PROGRESS, progress=START, now=after(25 * HOUR, boot="x", up=9.0), window=DAY)
        is StallDecision.STOP
    )
    assert (
        decide_stall(BATCH, IN_PROGRESS, progress=START, now=after(-DAY, boot="x", up=9.0), window=DAY)
        is StallDecision.WAIT
    )


HEARD = replace(BATCH, heard=after(2 * HOUR), progress=after(HOUR))


@pytest.mark.parametrize(
    ("batch", "status", "poll", "since"),
    [
        (BATCH, STATUS, 30.0, 2.5 * HOUR),  # the first time that anything is said
        (HEARD, STATUS, 30.0, HOUR),
        (HEARD, replace(STATUS, completed=4), 30.0, 2.5 * HOUR),
        (HEARD, replace(STATUS, failed=1), 30.0, 2.5 * HOUR),
        (HEARD, replace(STATUS, phase=FINALIZING), 30.0, 2.5 * HOUR),
        # Not heard of for an hour: it may have stood in a queue since, behind whatever had piled up there.
        (replace(HEARD, heard=after(1.5 * HOUR)), STATUS, 30.0, 2.5 * HOUR),
        (replace(HEARD, heard=after(1.5 * HOUR)), STATUS, HOUR, HOUR),  # unless it is asked that seldom
        (replace(HEARD, heard=None), STATUS, 30.0, 2.5 * HOUR),
    ],
)
def test_since_when_it_has_been_the_same(batch: Batch, status: BatchStatus, poll: float, since: float) -> None:
    assert unmoved_since(batch, status, after(2.5 * HOUR), poll=poll) == after(since)
