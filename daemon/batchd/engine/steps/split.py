"""Cut a part that no batch can take whole."""

from __future__ import annotations

from ...domain.lifecycle import Split
from ...domain.records import Job, Part
from ...errors import WorkerLost
from ...model import Usage
from ...work.planning.split import SplitTask, split
from ..context import Context
from .worker_crashes import note_worker_crash


async def cut(context: Context, action: Split) -> None:
    """Cut a part that no batch can take whole."""
    job = await context.store.jobs.get(action.job)
    part = await context.store.jobs.part(action.job, action.first)
    try:
        piece_rows = max(1, part.rows * action.piece_requests // max(part.requests, 1))
        pieces = await pieces_of(context, job, part, piece_rows)
    except WorkerLost as lost:
        await note_worker_crash(context, job, part.first, lost)
        return
    await context.store.jobs.split(part, pieces, action.reason)


async def pieces_of(context: Context, job: Job, part: Part, piece_rows: int) -> list[Part]:
    """Cut the part into parts of `piece_rows` rows, to be planned anew at the same attempt. This commits nothing."""
    spool, version = context.spool, part.results + 1
    task = SplitTask(
        first=part.first,
        offset=part.offset,
        length=part.length,
        rows=str(spool.rows(job.id)),
        piece_rows=piece_rows,
        settled=context.settled_file(part),
        results=spool.results_pattern(part, version),
        corrections=spool.corrections_pattern(part),
        follows=spool.follows_pattern(job.id),
        keys=str(spool.keys(part)),
    )
    done = await context.executor.run(split, task)
    return [
        Part(
            job=job.id,
            first=piece.first,
            rows=piece.rows,
            offset=piece.offset,
            length=piece.length,
            attempt=part.attempt,
            excused=part.excused,
            results=version if part.results else 0,
            ok=piece.ok,
            failed=piece.failed,
            empty=piece.empty,
            # The reservation is shared by size until each piece is planned.
            reserved=-(-part.reserved * piece.length // max(part.length, 1)),
            # What was spent so far stays with the first piece: a cut must not change the sums over the job.
            usage=part.usage if piece.first == part.first else Usage(),
            wasted=part.wasted if piece.first == part.first else Usage(),
            reused=part.reused if piece.first == part.first else 0,
            saved=part.saved if piece.first == part.first else Usage(),
        )
        for piece in done
    ]
