"""An account that is refused: one gentle try at a time, until a try comes as far as the refusal did."""

from __future__ import annotations

import pytest

from batchd.sending.accounts import FIRST_PAUSE, MAX_PAUSE, Accounts, Stage

pytestmark = pytest.mark.field("account refusals")

WHOLE, SMALL = ("acme", ""), ("acme", "small")


def until(accounts: Accounts, model: str = "small") -> float | None:
    block = accounts.block("acme", model)
    return None if block is None else block.until


def test_tries_are_further_and_further_apart_up_to_an_hour() -> None:
    accounts, steady, pauses = Accounts(), 0.0, []
    for _ in range(12):
        accounts.refused(WHOLE, Stage.UPLOAD, "No.", steady=steady)
        end = until(accounts)
        assert end is not None
        pauses.append(end - steady)
        steady = end
    assert pauses[:3] == [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE]
    assert pauses[-1] == MAX_PAUSE == 3_600


def test_what_was_sent_before_the_refusal_was_heard_counts_once() -> None:
    accounts = Accounts()
    for _ in range(9):
        accounts.refused(WHOLE, Stage.CREATE, "No.", steady=100.0)
    assert until(accounts) == 100.0 + FIRST_PAUSE


def test_a_model_that_is_refused_keeps_no_other_waiting() -> None:
    accounts = Accounts()
    accounts.refused(SMALL, Stage.CREATE, "No.", steady=0.0)
    assert until(accounts, "small") is not None
    assert until(accounts, "large") is None


@pytest.mark.parametrize("refused", list(Stage))
@pytest.mark.parametrize("passed", list(Stage))
def test_only_a_batch_that_comes_as_far_shows_that_it_is_over(refused: Stage, passed: Stage) -> None:
    accounts = Accounts()
    accounts.refused(WHOLE, refused, "No.", steady=0.0)
    accounts.passed("acme", "small", passed)
    assert (until(accounts) is None) == (passed >= refused)


def test_somebody_who_changed_something_lets_it_be_tried_at_once_and_the_pauses_grow_on() -> None:
    accounts = Accounts()
    accounts.refused(WHOLE, Stage.UPLOAD, "No.", steady=10.0)
    accounts.release()
    assert until(accounts) == 0.0
    accounts.refused(WHOLE, Stage.UPLOAD, "No.", steady=11.0)
    assert until(accounts) == 11.0 + 2 * FIRST_PAUSE


def rows(first: int, number: int) -> frozenset[tuple[str, int, int]]:
    return frozenset({("job", first, number)})


def test_the_same_refusal_for_two_halves_is_seen_and_for_a_half_of_the_whole_is_not() -> None:
    accounts = Accounts()
    assert not accounts.seen_elsewhere(SMALL, Stage.UPLOAD, "no", rows(0, 100))
    assert not accounts.seen_elsewhere(SMALL, Stage.UPLOAD, "no", rows(0, 50))
    assert not accounts.seen_elsewhere(SMALL, Stage.UPLOAD, "something else", rows(50, 50))
    assert accounts.is_careful("acme", "small")
    assert accounts.seen_elsewhere(SMALL, Stage.UPLOAD, "no", rows(50, 50))


def test_a_batch_that_was_accepted_in_between_shows_that_rows_are_at_fault() -> None:
    accounts = Accounts()
    assert not accounts.seen_elsewhere(SMALL, Stage.VALIDATION, "no", rows(0, 50))
    accounts.passed("acme", "small", Stage.VALIDATION)
    assert not accounts.is_careful("acme", "small")
    assert not accounts.seen_elsewhere(SMALL, Stage.VALIDATION, "no", rows(50, 50))
