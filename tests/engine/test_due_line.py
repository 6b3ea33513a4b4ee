"""What a look found and had no room for is begun when something of its kind ends."""

from __future__ import annotations

from batchd.domain import lifecycle
from batchd.engine.due_line import DueLine
from batchd.engine.room import Due, Room


def line_of(*actions: lifecycle.Action) -> tuple[DueLine, Room]:
    """A line of what had no room."""
    room = Room(workers=1)
    line = DueLine(room)
    line.renew([Due(action) for action in actions])
    return line, room


def test_the_next_of_its_kind_follows_in_order() -> None:
    line, _ = line_of(lifecycle.Read("a"), lifecycle.Finish("b"), lifecycle.Plan("c", 0))
    assert line.after(Due(lifecycle.Read("x"))) == Due(lifecycle.Read("a"))
    assert line.after(Due(lifecycle.Read("y"))) == Due(lifecycle.Plan("c", 0))
    assert line.after(Due(lifecycle.Read("z"))) is None
    assert line.after(Due(lifecycle.Claim("x"))) == Due(lifecycle.Finish("b"))


def test_what_was_found_for_a_job_of_which_something_has_ended_is_looked_at_again_first() -> None:
    line, _ = line_of(lifecycle.Plan("a", 10), lifecycle.Plan("b", 0))
    assert line.after(Due(lifecycle.Plan("a", 0))) == Due(lifecycle.Plan("b", 0))
    assert line.after(Due(lifecycle.Plan("b", 0))) is None


def test_what_is_under_way_is_not_begun_again() -> None:
    line, room = line_of(lifecycle.Read("a"), lifecycle.Read("b"))
    room.begin(Due(lifecycle.Read("a")))
    assert line.after(Due(lifecycle.Read("x"))) == Due(lifecycle.Read("b"))


def test_calls_and_batches_wait_for_the_next_look() -> None:
    line, _ = line_of(lifecycle.Poll("b1"), lifecycle.Pack("p", "m", "e", ()))
    assert line.after(Due(lifecycle.Poll("b2"))) is None
    assert line.after(Due(lifecycle.Pack("p", "m", "e", ()))) is None


def test_another_look_knows_better() -> None:
    line, _ = line_of(lifecycle.Read("a"))
    line.after(Due(lifecycle.Finish("b")))
    line.renew([Due(lifecycle.Read("b"))])
    assert line.after(Due(lifecycle.Read("x"))) == Due(lifecycle.Read("b"))
    assert line.after(Due(lifecycle.Read("x"))) is None
