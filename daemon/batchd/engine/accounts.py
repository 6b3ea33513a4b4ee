"""Which account a batch belongs to, and what to do with the batch once another account is configured.

A service does not know the batches of other accounts. Asking their rows again would pay for them twice.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..domain.records import Batch, BatchState, HeldFor
from ..money.lanes import Lane
from ..secrets.fingerprint import changed, fingerprint
from .context import ConfiguredProvider, Context


def fingerprint_now(context: Context, provider: ConfiguredProvider, lane: Lane) -> Mapping[str, str]:
    """The fingerprint of the current account; empty if the plugin does not tell accounts apart."""
    facts = provider.plugin_for(lane).account()
    return fingerprint(context.spool.fingerprint_key(), facts) if facts else {}


def account_changed(context: Context, batch: Batch, provider: ConfiguredProvider) -> list[str]:
    """The facts of the account that changed since the provider last knew the batch; empty if that is not known."""
    return changed(batch.fingerprint, fingerprint_now(context, provider, batch.lane))


async def note_account(context: Context, batch: Batch, provider: ConfiguredProvider) -> None:
    """Store the current fingerprint with a batch that the provider knows, maybe by a new key of the same account."""
    now = fingerprint_now(context, provider, batch.lane)
    if now and now != batch.fingerprint:
        await context.store.batches.known_to(batch, now)


async def hold_for_account(context: Context, batch: Batch, provider: ConfiguredProvider) -> bool:
    """Hold a batch that the provider does not know, if its account has changed. Whether it is held now."""
    facts = account_changed(context, batch, provider)
    if not facts:
        return False
    what = " and ".join(facts) if len(facts) < 3 else f"{', '.join(facts[:-1])} and {facts[-1]}"
    are, those = ("are", "those") if len(facts) > 1 else ("is", "the one")
    unknown = (
        f"it is not known whether {batch.provider} has created it"
        if batch.state is BatchState.SUBMITTING
        else f"{batch.provider} does not know {batch.remote}"
    )
    await context.store.batches.held(
        batch,
        HeldFor.ACCOUNT,
        f"{unknown}, and the {what} of [providers.{batch.provider}] {are} not {those} that it was sent with. Nothing "
        f"is asked again. Put the old {what} back, and it goes on by itself. Or, to ask its rows again and pay for "
        f"them again: `batchd resolve {batch.key} --absent`.",
    )
    return True
