"""One module for each action of `domain/lifecycle`: what the engine does when it is due."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from ...domain import lifecycle
from ..context import Context
from . import (
    admit,
    cancel_batch,
    chain,
    claim,
    close,
    collect,
    deliver,
    distribute,
    fetch,
    find,
    finish,
    forget,
    hold_note,
    pack,
    plan,
    poll,
    purge,
    read,
    recheck,
    redeliver,
    reject,
    send_early,
    show_pilot,
    skip,
    split,
    submit,
    switching,
    tries,
    upload,
)

CARRIED_OUT_BY: dict[type[lifecycle.Action], Callable[[Context, Any], Awaitable[None]]] = {
    lifecycle.Claim: claim.take,
    lifecycle.Read: read.read_source,
    lifecycle.Reject: reject.put_away,
    lifecycle.Redeliver: redeliver.redeliver,
    lifecycle.Plan: plan.plan_part,
    lifecycle.Admit: admit.admit,
    lifecycle.SendEarly: send_early.send_early,
    lifecycle.Hasten: switching.hasten,
    lifecycle.Move: switching.move,
    lifecycle.Note: hold_note.note,
    lifecycle.Split: split.cut,
    lifecycle.Pack: pack.pack,
    lifecycle.Upload: upload.upload,
    lifecycle.Submit: submit.submit,
    lifecycle.Find: find.find,
    lifecycle.Poll: poll.poll,
    lifecycle.Recheck: recheck.recheck,
    lifecycle.CancelBatch: cancel_batch.cancel_batch,
    lifecycle.Fetch: fetch.fetch,
    lifecycle.Forget: forget.forget,
    lifecycle.Distribute: distribute.distribute_batch,
    lifecycle.Collect: collect.collect_part,
    lifecycle.Skip: skip.skip,
    lifecycle.ShowPilot: show_pilot.show,
    lifecycle.EndTry: tries.end,
    lifecycle.Close: close.close,
    lifecycle.HandOn: chain.hand_rows_on,
    lifecycle.Join: chain.join,
    lifecycle.EndStep: chain.end_step,
    lifecycle.Deliver: deliver.deliver,
    lifecycle.Finish: finish.finish,
    lifecycle.Erase: purge.purge,
}
"""Each action may be carried out again: see `domain/lifecycle`."""
