"""Says which machines are not used, and why: in the log, in `batchd status` and on the page."""

from __future__ import annotations

from ..domain.subjects import WORKERS, Subject, SubjectKind
from ..engine.conditions import Conditions
from ..engine.context import Context
from ..engine.scheduler import Engine
from .stopping import Stopping

LOOK_EVERY = 2.0


async def watch_nodes(engine: Engine, stopping: Stopping) -> None:
    executor = engine.context.executor
    while not stopping.is_set():
        await say_of_nodes(engine.context, engine.conditions)
        if executor.number != engine.workers and executor.number >= 1:
            engine.use_workers(executor.number)
        await stopping.sleep(LOOK_EVERY)


async def say_of_nodes(context: Context, conditions: Conditions) -> None:
    executor = context.executor
    if executor.trouble:
        await conditions.say(WORKERS, executor.trouble)
    elif WORKERS in await conditions.of_kinds(SubjectKind.WORKERS):
        await conditions.all_well(WORKERS)
    unfit = {Subject(SubjectKind.NODE, node.name): node.fault for node in executor.nodes() if node.fault}
    for subject, fault in unfit.items():
        await conditions.say(subject, f"batchd does not use it: {fault}")
    for subject in await conditions.of_kinds(SubjectKind.NODE):
        # The node went away, or now has what the daemon has.
        if subject not in unfit:
            await conditions.all_well(subject)
