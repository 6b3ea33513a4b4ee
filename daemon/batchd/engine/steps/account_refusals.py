"""A provider refuses the account: nothing more is sent there but one gentle try at a time, and jobs wait."""

from __future__ import annotations

from ...domain.records import Batch
from ...errors import RejectedError
from ...sending.accounts import Place, Stage
from ...sending.refusal_policy import AccountRefused
from ..context import Context
from ..key_marks import key_mark

TRIES = (
    "batchd tries again with one batch, less and less often, at most an hour apart; at once after `batchd retry JOB`, "
    "a reload or a new key."
)


def block_account(context: Context, batch: Batch, stage: Stage, refused: AccountRefused) -> None:
    """Block the batch's model, or all models of the account, until a try is accepted."""
    place = (batch.provider, batch.model if refused.model_only else "")
    block(context, place, stage, waiting_text(place, refused))


def block(context: Context, place: Place, stage: Stage, text: str) -> None:
    """Block a place until a try is accepted. People are told `text`."""
    context.accounts.refused(place, stage, text, steady=context.clock.steady(), key=key_mark(context, place[0]))


def sentence(message: str) -> str:
    """A service's message, with a full stop added if it has none."""
    return message if message.endswith((".", "!", "?", "。")) else f"{message}."


def rejected_text(error: RejectedError) -> str:
    """The plugin's own words, and what happens next."""
    return f"{error} {TRIES} Jobs wait; nothing is lost."


def waiting_text(place: Place, refused: AccountRefused) -> str:
    """What happened, who has to do what, and what happens next."""
    provider, model = place
    of = f"the account for the model {model}" if model else "the account"
    waits = "Jobs wait, no row fails for it and nothing is lost."
    return f"{provider} refuses {of}: {sentence(refused.message)} {refused.advice} {waits} {TRIES}"
