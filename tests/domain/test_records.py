"""How long ago something was, by clocks of which one jumps and the other starts again at every boot."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchd.domain.records import BatchState, JobState, Moment

TIMES = st.floats(0, 4e9)
BOOTS = st.sampled_from(["one", "two"])
INTENTS = st.builds(Moment, at=TIMES, steady=TIMES, boot=BOOTS)


@pytest.mark.parametrize(
    ("then", "now", "age"),
    [
        # Within one boot the steady clock alone counts, wherever the wall clock was set to.
        (Moment(at=1_000, steady=50, boot="one"), Moment(at=1_010, steady=60, boot="one"), 10),
        (Moment(at=1_000, steady=50, boot="one"), Moment(at=9_999_999, steady=60, boot="one"), 10),
        (Moment(at=1_000, steady=50, boot="one"), Moment(at=3, steady=60, boot="one"), 10),
        # After a reboot at least the new uptime has gone by.
        (Moment(at=1_000, steady=50, boot="one"), Moment(at=1_300, steady=20, boot="two"), 20),
        # The wall clock can only make it less: set back, or a state folder from a machine whose clock is ahead.
        (Moment(at=1_000, steady=50, boot="one"), Moment(at=1_007, steady=20, boot="two"), 7),
        (Moment(at=1_000, steady=50, boot="one"), Moment(at=900, steady=20, boot="two"), 0),
        # A wall clock that jumped ahead does not make the wait shorter than the uptime.
        (Moment(at=1_000, steady=50, boot="one"), Moment(at=9_999_999, steady=20, boot="two"), 20),
    ],
)
def test_age(then: Moment, now: Moment, age: float) -> None:
    assert then.age(now) == age


@given(INTENTS, INTENTS)
def test_after_a_reboot_no_more_has_gone_by_than_any_clock_says(then: Moment, now: Moment) -> None:
    age = then.age(now)
    if then.boot == now.boot:
        assert age == now.steady - then.steady
    else:
        assert 0 <= age <= now.steady
        assert age <= max(0.0, now.at - then.at)


@given(INTENTS, st.floats(0, 1e6), st.floats(-1e9, 1e9))
def test_setting_the_clock_never_shortens_a_wait_within_one_boot(then: Moment, gone: float, jump: float) -> None:
    steady = then.steady + gone
    now = Moment(at=max(0.0, then.at + gone + jump), steady=steady, boot=then.boot)
    assert then.age(now) == steady - then.steady


def test_final_states_are_those_that_nothing_more_happens_to() -> None:
    assert {state for state in JobState if state.final} == {JobState.DONE, JobState.CANCELLED, JobState.REJECTED}
    assert {state for state in BatchState if state.final} == {BatchState.DONE, BatchState.RETURNED}
