"""The report that ends a job: `<name>.report.json` in the outbox."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from .. import __version__
from ..domain.records import Batch, Job, Part
from ..domain.routing import Route
from ..domain.states import CALLS_REPEATED, MAX_FAILED, NO_ANSWERS
from ..files import Rights, make_folder, publishing
from ..model import Json, RowStatus, Usage
from ..money.lanes import Lane
from ..money.pricing import unit
from ..money.spending import AnsweredBy, Bill
from ..receipts import Receipt
from ..secrets.fingerprint import account_name
from ..values import replace
from .outbox import require_folder


class _Reported(msgspec.Struct):
    job: str = ""
    round: int = 0


class StepTaken(Struct, frozen=True):
    """A step of a chain: its job and parts, and what was spent on it alone."""

    job: Job
    parts: Sequence[Part]
    bill: Bill


_Round = msgspec.json.Decoder(_Reported)
_MAX_REPORT = 50_000_000


def report_of(
    job: Job,
    parts: Sequence[Part],
    batches: Sequence[Batch],
    bill: Bill,
    *,
    currency: str,
    shares: Sequence[AnsweredBy] = (),
    files: Sequence[str] = (),
    receipts: Mapping[str, Receipt] | None = None,
    steps: Sequence[StepTaken] = (),
) -> dict[str, Json]:
    """The report. It depends only on stored records, so that a second try writes the same bytes.

    `currency` is for a job whose price was never known, `shares` says who gave the answers, `files` are the names of
    the published files, `receipts` say where each sink has put the rows, `steps` are all steps of its chain, if it has
    one. `report_task` adds the answers and failures.
    """
    counts = count_rows(job, parts)
    # If nothing was spent, the cost is known even without a price.
    spent = bill if bill.answers else replace(bill, cost=0, wasted_cost=0, live_cost=0)
    usage, wasted = spent.usage, spent.wasted
    everything = [(job, parts), *((step.job, step.parts) for step in steps[1:])]
    saved = sum((part.saved for _, each in everything for part in each), Usage())
    currency = job.terms.currency if job.terms else currency
    return {
        "job": job.id,
        "round": job.retry_round,
        "redelivered_from": job.duplicate_of,
        "replaces": job.replaces,
        "source": job.source,
        "sha256": job.sha256,
        "outcome": "cancelled" if job.cancelled else "failed" if why_failed(job, counts) else "done",
        "route": job.route.name,
        "provider": job.route.provider,
        "model": job.route.model,
        "prompt": prompt_hash(job.route),
        "question": _question(job.route),
        "rows": {
            "total": job.rows,
            "ok": counts[RowStatus.OK],
            "failed": counts[RowStatus.FAILED],
            "skipped": counts[RowStatus.SKIPPED],
            "reused": sum(part.reused for _, each in everything for part in each),
        },
        "empty_rows": sum(part.empty for part in parts),
        **({"first_step": _step(steps[0], steps, currency)} if steps else {}),
        **({"steps": [_step(step, steps, currency) for step in steps[1:]]} if steps else {}),
        "tokens": {
            "input": usage.input_tokens,
            "cached_input": usage.cached_tokens,
            "output": usage.output_tokens,
            "wasted_input": wasted.input_tokens,
            "wasted_output": wasted.output_tokens,
            "saved_input": saved.input_tokens,
            "saved_output": saved.output_tokens,
            "estimated_answers": spent.estimated,
        },
        "cost": {
            "estimated": _money(_estimated([each for each, _ in everything]), currency),
            "actual": _money(spent.cost, currency),
            "wasted": _money(spent.wasted_cost, currency),
            "live_price": _money(spent.live_cost, currency),
            "saved": _money(_saved(everything), currency),
            "currency": currency,
            "prices": job.terms.source if job.terms else None,
        },
        "answered_by": [{**msgspec.structs.asdict(share), "cost": _money(share.cost, currency)} for share in shares],
        "batches": [
            {
                "key": batch.key,
                "id": batch.remote,
                "requests": batch.requests,
                "outcome": batch.phase or batch.state,
                "provider_usage": _usage(batch.usage),
                "account": account_name(batch.fingerprint),
                "lane": batch.lane,
                "possibly_paid_twice": batch.details.get(CALLS_REPEATED),
            }
            for batch in batches
        ],
        "timestamps": {
            "claimed": _time(job.claimed_at),
            "accepted": _time(job.accepted_at),
            "planned": _time(job.planned_at),
            "collected": _time(job.collected_at),
        },
        "files": list(files),
        "receipts": [{"sink": sink, **receipt.record()} for sink, receipt in (receipts or {}).items()],
        "answers": [],
        "more_answer_columns": 0,
        "failures": [],
        "reading": dict(job.description),
        "batchd": __version__,
    }


def _step(step: StepTaken, steps: Sequence[StepTaken], currency: str) -> dict[str, Json]:
    """A step of the chain. The rows of a later step are those that the step before it has answered."""
    job, bill = step.job, step.bill if step.bill.answers else replace(step.bill, cost=0, live_cost=0)
    return {
        "job": job.id,
        "route": job.route.name,
        "provider": job.route.provider,
        "model": job.route.model,
        "prompt": prompt_hash(job.route),
        "rows": _own_rows(step, steps),
        "tokens": {"input": bill.usage.input_tokens, "output": bill.usage.output_tokens},
        "cost": {
            "estimated": _money(job.estimated_cost, currency),
            "actual": _money(bill.cost, currency),
            "live_price": _money(bill.live_cost, currency),
        },
    }


def _own_rows(step: StepTaken, steps: Sequence[StepTaken]) -> dict[str, Json]:
    """Count the outcomes of the step's own question. If later steps exist, its answered rows are those handed on."""
    counts = count_rows(step.job, step.parts)
    later = [each for each in steps if each.job.parent == step.job.id]
    ok, failed, skipped = counts[RowStatus.OK], counts[RowStatus.FAILED], counts[RowStatus.SKIPPED]
    if later:
        ok, total = sum(each.job.rows or 0 for each in later), step.job.rows or 0
        # Rows of a later step that have no outcome there count as skipped in the whole.
        skipped = min(skipped, total - ok)
        failed = total - ok - skipped
    return {"total": step.job.rows, "ok": ok, "failed": failed, "skipped": skipped}


def _estimated(jobs: Sequence[Job]) -> int | None:
    costs = [job.estimated_cost for job in jobs]
    return None if None in costs else sum(cost for cost in costs if cost is not None)


def _saved(everything: Sequence[tuple[Job, Sequence[Part]]]) -> int | None:
    saved = 0
    for job, parts in everything:
        if job.terms is None:
            return None
        saved += job.terms.at(Lane.BATCH).cost(sum((part.saved for part in parts), Usage()))
    return saved


def _question(route: Route) -> Json:
    """The question that came with the data, None if it is the route's own."""
    question = route.question
    return None if question is None else {**question, "text": route.prompt.settings.get("user")}


def prompt_hash(route: Route) -> str:
    """A digest that is the same for the same question, asked in the same way."""
    asked = msgspec.json.encode([route.prompt.to_json(), route.params, route.endpoint], order="sorted")
    return hashlib.sha256(asked).hexdigest()[:12]


def as_json(report: Mapping[str, Json]) -> bytes:
    """The report as it is written."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n"


def was_reported(job: Job, folder: Path, stem: str | None) -> bool:
    """Whether the report of this round of the job is there under that name, so that all of the job was delivered.

    The state folder does not know that if it is an older copy that was put back.
    """
    return _reported(folder / f"{stem}.report.json") == _Reported(job.id, job.retry_round)


def reported(folder: Path) -> dict[str, str]:
    """The jobs that have a report in the folder, each with the name of its newest one."""
    found: dict[str, tuple[int, str]] = {}
    for path in sorted(folder.rglob("*.report.json")):
        said = _reported(path)
        if said is None:
            continue
        found[said.job] = max(found.get(said.job, (0, "")), (said.round, str(path.relative_to(folder))))
    return {job: name for job, (_, name) in found.items()}


def _reported(path: Path) -> _Reported | None:
    """The job and the round of a report; None if it cannot be read."""
    try:
        with path.open("rb") as file:
            return _Round.decode(file.read(_MAX_REPORT))
    except (OSError, msgspec.MsgspecError):
        return None


def publish_report(
    report: bytes, folder: Path, name: str, *, mounted: frozenset[Path], rights: Rights | None = None
) -> None:
    """Write a report into the outbox folder. Raises FileExistsError if another file has its name."""
    require_folder(folder, mounted=mounted)
    target = folder / name
    make_folder(target.parent, rights=rights)
    with publishing(target, rights=rights) as file:
        file.write(report)


def why_failed(job: Job, counts: Mapping[RowStatus, int]) -> tuple[str, str] | None:
    """A code and a sentence for a job that counts as failed, though every row has its outcome; None if it does not."""
    if job.cancelled or not job.rows:
        return None
    if not counts[RowStatus.OK]:
        if not counts[RowStatus.FAILED]:
            return None  # every row is empty: there was nothing to ask about
        return NO_ANSWERS, f"none of the {job.rows:,} rows has an answer" if job.rows > 1 else "its row has no answer"
    if counts[RowStatus.FAILED] > job.route.max_failed * job.rows:
        return MAX_FAILED, f"{counts[RowStatus.FAILED]:,} of {job.rows:,} rows failed, more than max_failed allows"
    return None


def count_rows(job: Job, parts: Sequence[Part]) -> dict[RowStatus, int]:
    """The number of rows by outcome."""
    ok, failed = sum(part.ok for part in parts), sum(part.failed for part in parts)
    return {RowStatus.OK: ok, RowStatus.FAILED: failed, RowStatus.SKIPPED: (job.rows or 0) - ok - failed}


def _usage(usage: Usage | None) -> dict[str, Json] | None:
    """The provider's own token counts of a batch, if it reports them."""
    if usage is None:
        return None
    return {"input": usage.input_tokens, "cached_input": usage.cached_tokens, "output": usage.output_tokens}


def _money(subunits: int | None, currency: str) -> float | None:
    return None if subunits is None else subunits / unit(currency)


def _time(at: float | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
