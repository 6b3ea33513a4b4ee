"""The states of a batch as a pure function of the stored record and the time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchd.values import replace
from batchd_sandbox.batches.lifecycle import Become, Execute, Wait, answered_share, next_step, shown_counts
from batchd_sandbox.batches.worker_messages import BatchError, Outcome
from batchd_sandbox.faults.grammar import parse
from batchd_sandbox.records import TERMINAL, BatchRecord, Status

BORN = BatchRecord("batch_1", 100.0, "file-1", "/v1/chat/completions", None, latency=10.0)
DONE = Outcome(share=1.0, total=10, completed=8, failed=2)


def _with_fault(text: str) -> BatchRecord:
    return replace(BORN, faults=((1, parse(text)),))


@pytest.mark.parametrize(
    ("batch", "now", "step"),
    [
        (BORN, 99.0, Wait(100.0)),
        (BORN, 100.0, Execute(1.0)),
        (_with_fault("batch:expired:fraction=0.25"), 100.0, Execute(0.25)),
        (_with_fault("batch:stuck"), 100.0, Execute(0.0)),
        (replace(BORN, outcome=DONE), 100.5, Wait(101.0)),
        (replace(BORN, outcome=DONE), 101.0, Become(Status.IN_PROGRESS)),
        (replace(BORN, outcome=Outcome(1.0, (BatchError("x", "y"),))), 101.0, Become(Status.FAILED)),
    ],
)
def test_validating(batch: BatchRecord, now: float, step: object) -> None:
    assert next_step(batch, now) == step


@pytest.mark.parametrize(
    ("fault", "step"),
    [
        (None, Become(Status.FINALIZING)),
        ("batch:expired", Become(Status.EXPIRED)),
        ("batch:cancelled", Become(Status.CANCELLING)),
        ("batch:stuck", Wait(None)),
    ],
)
def test_the_end_of_progress(fault: str | None, step: object) -> None:
    born = _with_fault(fault) if fault else BORN
    batch = replace(born, status=Status.IN_PROGRESS, in_progress_at=101.0, outcome=DONE)
    assert next_step(batch, 1e9) == step


def test_finalizing_and_after() -> None:
    batch = replace(BORN, status=Status.FINALIZING, finalizing_at=200.0, outcome=DONE)
    assert next_step(batch, 201.0) == Wait(201.5)
    assert next_step(batch, 201.5) == Become(Status.COMPLETED)
    for status in TERMINAL:
        assert next_step(replace(batch, status=status), 1e9) is None


def test_cancelling_keeps_only_the_answers_so_far() -> None:
    batch = replace(BORN, status=Status.IN_PROGRESS, in_progress_at=101.0, outcome=DONE)
    share = answered_share(batch, 101.0 + 7.5 / 2)
    assert share == pytest.approx(0.5)
    cancelled = replace(batch, status=Status.CANCELLING, cancelling_at=104.0, answered=share)
    assert next_step(cancelled, 104.0) == Execute(share)
    done = replace(cancelled, outcome=replace(DONE, share=share))
    assert next_step(done, 104.5) == Wait(105.0)
    assert next_step(done, 105.0) == Become(Status.CANCELLED)


@given(st.floats(0, 1000), st.floats(0, 1000), st.sampled_from(list(Status)))
def test_counts_only_grow_and_never_exceed_the_truth(first: float, second: float, status: Status) -> None:
    batch = replace(BORN, status=status, in_progress_at=101.0, outcome=DONE)
    early, late = (shown_counts(batch, 100 + moment) for moment in sorted((first, second)))
    assert early.completed <= late.completed <= 8
    assert early.failed <= late.failed <= 2
    assert late.total in (0, 10)
