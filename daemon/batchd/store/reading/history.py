"""What an estimate asks of the database: how long answers were, how far counts were off, what is spent already."""

from __future__ import annotations

from ...money.budget import Account, beginnings
from ...money.lanes import Lane
from .snapshot import State

_ANSWERED = """
SELECT COALESCE(SUM(answers), 0) AS answers, COALESCE(SUM(output_tokens), 0) AS output_tokens
FROM spending WHERE route = :route AND provider = :provider AND model = :model
"""

_CALIBRATION = "SELECT estimated, actual FROM calibration WHERE provider = :provider AND model = :model"

_LANE = "SELECT lane FROM found_lanes WHERE provider = :provider AND address = :address"


def answered(state: State, route: str, provider: str, model: str) -> tuple[int, int]:
    """The answers of this model to this route that were billed, and the tokens they have in all."""
    for row in state.rows(_ANSWERED, route=route, provider=provider, model=model):
        return row["answers"], row["output_tokens"]
    return 0, 0


def calibration(state: State, provider: str, model: str) -> tuple[int, int]:
    """Input tokens of answered requests: as they were counted before any correction, and as they were billed."""
    for row in state.rows(_CALIBRATION, provider=provider, model=model):
        return row["estimated"], row["actual"]
    return 0, 0


def is_live(state: State, provider: str, address: str) -> bool:
    """Whether batchd has found out that the provider at this address is asked by live calls."""
    return any(row["lane"] == Lane.LIVE for row in state.rows(_LANE, provider=provider, address=address))


def account(state: State, route: str, provider: str, currency: str, now: float) -> Account:
    """What is spent and promised, for a job that does not exist yet."""
    from ..database import QUERIES  # the daemon's own query, so that both come to the same result

    day, month = beginnings(now)
    asked = {"job": "", "family": "", "provider": provider, "route": route, "currency": currency}
    for row in state.rows(QUERIES["account"], **asked, day=day, month=month):
        return Account(**dict(row), at=now)
    return Account(at=now)
