"""Admissions and spending. The transaction that admits a job also judges whether it may be sent: of two jobs that are
admitted at once, the second one sees what the first has reserved.

A reservation is no record of its own: it is what a job's open parts can cost at most. So it is exact after any
crash, and turns into spending in the transaction that collects a part.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from ...domain.questions import changed
from ...domain.records import Asked, Job, JobState, Part, PartState
from ...events import JobApproved, JobHeld, JobPlanned, RowsReturned, UsageDiffers
from ...model import Usage
from ...money.budget import MAX_AMOUNT, QUESTION_CHANGED, Account, Refusal, beginnings
from ...money.lanes import Lane
from ...money.pricing import Terms
from ...money.spending import AnsweredBy, Bill
from ..database import Transaction, to_json
from .mapping import job_of, usage_of
from .steps import change_part, note_approval
from .table import StoreTable, change

SMALL = MAX_AMOUNT >> 20
"""Jobs that can cost less than this, in subunits, make no sum too large to count: not even a million of them."""
FindRefusal = Callable[[Account], Refusal | None]


class Collected(Struct, frozen=True):
    """A part after its collection, the batch that answered it, its lane and bill, and why rows are asked again.

    `asked` is the provider and model that answered; None: those that the job asks.
    """

    part: Part
    batch: str | None
    lane: Lane
    bill: Bill
    reasons: Mapping[str, int]
    asked: Asked | None = None


class Money(StoreTable):
    """The tables `spending` and `calibration`, and the money in `jobs` and `parts`."""

    # --- looking ---------------------------------------------------------------------------------------------

    async def account(self, job: Job, *, currency: str) -> Account:
        """What is spent and reserved now, as far as this job is concerned."""
        return await self._database.read(lambda tx: account_of(tx, job, currency))

    async def of_job(self, job: str) -> Bill:
        """Everything that was spent on the job."""
        return await self._database.read(lambda tx: bill_of(tx, job, family=job))

    async def of_step(self, job: str) -> Bill:
        """What was spent on this job alone, without the later steps of its chain."""
        return await self._database.read(lambda tx: bill_of(tx, job, family=""))

    async def calibration(self, provider: str, model: str) -> tuple[int, int]:
        """Input tokens of answered requests: as they were counted, and as the service billed them."""
        return await self._database.read(lambda tx: calibration_of(tx, provider, model))

    async def held(self) -> list[Job]:
        """Jobs that are held."""
        return [job_of(row) for row in await self._rows("held_jobs")]

    async def waiting(self) -> list[str]:
        """Jobs that are held only until the budget has room, the price is known, or their question is approved."""
        return [row["id"] for row in await self._rows("jobs_waiting_for_budget")]

    # --- admission -------------------------------------------------------------------------------------------

    @change
    def admit(
        self,
        tx: Transaction,
        job: Job,
        *,
        terms: Terms | None,
        most: Mapping[int, int],
        currency: str,
        find_refusal: FindRefusal,
        event: JobPlanned,
        limited: bool = True,
    ) -> Refusal | None:
        """Let the job run at these terms, or hold it and return why. `most` is what each open part can cost at most.

        `limited` says whether there is a limit for the job that other jobs count towards.
        """
        found = tx.fetch("job", id=job.id)
        if not found or found[0]["state"] not in {JobState.PLANNING, JobState.HELD} or found[0]["cancelled"]:
            return None
        for first, cost in most.items():
            tx.update("parts", {"job": job.id, "first": first}, reserved=cost)
        [own] = tx.fetch("own_open_parts", job=job.id)
        if own["unplanned"]:
            return None
        account = account_of(tx, job_of(found[0]), currency, limited=limited)
        columns: dict[str, object] = {
            "terms": to_json(terms.to_json()) if terms else None,
            "estimated_cost": min(account.whole, MAX_AMOUNT) if terms is not None and not account.unlimited else None,
            "planned_at": found[0]["planned_at"] if found[0]["early_rows"] else tx.now,
            "early_rows": 0,
            "early_from": None,
        }
        if found[0]["planned_at"] is None or found[0]["early_rows"]:
            tx.record(event)
        refusal = _new_question(tx, job_of(found[0]), account) or find_refusal(account)
        if refusal is None:
            _known_question(tx, job_of(found[0]))
            columns |= {"state": JobState.RUNNING, "reason": None, "reason_code": None}
            tx.update("jobs", {"id": job.id}, **columns)
        else:
            _hold(tx, job_of(found[0]), refusal, columns)
        return refusal

    @change
    def sent_early(self, tx: Transaction, job: Job, *, rows: int, terms: Terms | None, most: Mapping[int, int]) -> None:
        """The job's first `rows` rows may be sent while others are planned. The next step comes at twice as many rows.

        `most` is what each of their open parts can cost at most.
        """
        where = {"id": job.id, "state": JobState.PLANNING, "early_from": job.early_from, "cancelled": 0}
        columns: dict[str, object] = {"early_rows": rows, "early_from": 2 * rows}
        columns["terms"] = to_json(terms.to_json()) if terms else None
        if not job.early_rows:
            columns["planned_at"] = tx.now
        if tx.update("jobs", where, **columns):
            for first, cost in most.items():
                tx.update("parts", {"job": job.id, "first": first}, reserved=min(cost, MAX_AMOUNT))

    async def all_at_once(self, job: Job) -> None:
        """There is a limit now: rows that are not sent yet wait until the whole job is planned and admitted."""
        where = {"id": job.id, "state": JobState.PLANNING}
        await self._database.write(lambda tx: tx.update("jobs", where, early_from=None))

    async def price_again(self, provider: str) -> None:
        """The provider is asked in a way that costs more: its jobs with rows to be sent are admitted anew."""
        await self._run("price_again", provider=provider)

    @change
    def planned(
        self, tx: Transaction, job: Job, part: Part, planned: Part, *, currency: str, find_refusal: FindRefusal | None
    ) -> None:
        """The request file of the part's attempt is written; `planned` says what is in it.

        If the money for the part is not reserved yet, `find_refusal` judges, and the job is held if the part could take
        it over a limit. If the job now asks another provider, nothing is changed: the part is planned anew for that.
        """
        found = tx.fetch("job", id=job.id)
        if not found or job_of(found[0]).asked().provider != job.route.provider:
            return
        if not change_part(tx, part, PartState.UNPLANNED, planned):
            return
        if found[0]["state"] != JobState.RUNNING or find_refusal is None:
            return
        refusal = find_refusal(account_of(tx, job, currency))
        if refusal is not None:
            _hold(tx, job_of(found[0]), refusal, {})

    @change
    def approved(self, tx: Transaction, job: Job, most: int, event: JobApproved) -> bool:
        """A person allows the job to cost `most` in all; it is admitted again. False if it is not held any more."""
        where = {"id": job.id, "state": JobState.HELD}
        if not tx.update("jobs", where, state=JobState.PLANNING, approved=most, early_from=None):
            return False
        note_approval(tx, event)
        return True

    async def noted(self, job: Job, note: str | None) -> None:
        """The note about the job lies in the held folder under this name; None: it was taken away."""
        await self._database.write(lambda tx: tx.update("jobs", {"id": job.id}, note=note))

    # --- spending --------------------------------------------------------------------------------------------

    @change
    def collected(self, tx: Transaction, job: Job, before: Part, done: Collected) -> None:
        """A part's answers are in its results file: its reservation ends, and what the answers cost is spent."""
        if not change_part(tx, before, PartState.ANSWERED, done.part):
            return
        if done.bill.answers:
            tx.insert("spending", [_line(tx, job, before, done)], otherwise="OR IGNORE")
            if done.bill.answers == before.requests and not done.bill.estimated:
                _calibrate(tx, done.asked or job.asked(), before, done.bill)
        if done.batch is not None:
            _compare(tx, done.batch)
        if done.part.state is PartState.UNPLANNED and done.reasons:
            rows, attempt, reasons = sum(done.reasons.values()), done.part.attempt, dict(done.reasons)
            tx.record(RowsReturned(job=before.job, part=before.first, rows=rows, attempt=attempt, reasons=reasons))


def bill_of(tx: Transaction, job: str, *, family: str) -> Bill:
    """Everything that was spent on the job, and on the steps of this family."""
    [row] = tx.fetch("spending_of_job", job=job, family=family)
    used = Usage(row["input_tokens"], row["cached_tokens"], row["output_tokens"])
    wasted = Usage(row["wasted_input"], 0, row["wasted_output"])
    return Bill(row["answers"], used, wasted, row["cost"], row["wasted_cost"], row["live_cost"], row["estimated"])


def shares_of(tx: Transaction, job: str) -> list[AnsweredBy]:
    """What was spent on the job, by provider, model and lane."""
    return [
        AnsweredBy(row["provider"], row["model"], Lane(row["lane"]), row["answers"], row["cost"])
        for row in tx.fetch("spending_by_provider", job=job)
    ]


def calibration_of(tx: Transaction, provider: str, model: str) -> tuple[int, int]:
    """Input tokens of answered requests: as they were counted, and as the service billed them."""
    rows = tx.fetch("calibration", provider=provider, model=model)
    return (rows[0]["estimated"], rows[0]["actual"]) if rows else (0, 0)


def account_of(tx: Transaction, job: Job, currency: str, *, limited: bool = True) -> Account:
    """What is spent and reserved now, as far as this job is concerned.

    Without a limit, what other jobs cost is left out where it decides nothing: adding up the open parts of a thousand
    files, for each of these files, took longer than all other writes for it.
    """
    [own] = tx.fetch("own_open_parts", job=job.id)
    alone = job.family is None and job.route.then is None
    mine = {"own": own["reserved"], "unlimited": own["unlimited"], "open_parts": own["parts"]}
    if not limited and alone and own["reserved"] < SMALL:
        [spent] = tx.fetch("spent_on_job", job=job.id)
        return Account(job=spent["job"], at=tx.now, **mine)
    day, month = beginnings(tx.now)
    asked = {"provider": job.route.provider, "route": job.route.name, "currency": currency, "family": job.first_step}
    [row] = tx.fetch("account", job=job.id, **asked, day=day, month=month)
    return Account(**dict(row), **mine, at=tx.now)


def _new_question(tx: Transaction, job: Job, account: Account) -> Refusal | None:
    """Why the job is held, if its question is not the one that its folder had before."""
    question = job.route.question
    if question is None or job.approved is not None or not account.open_parts:
        return None
    known = tx.fetch("question_of", route=job.route.name, folder=question["folder"])
    if not known or known[0]["sha256"] == question["sha256"]:
        return None
    return Refusal(QUESTION_CHANGED, changed(question))


def _known_question(tx: Transaction, job: Job) -> None:
    """Store the question of a job that may run: it is known from now on."""
    question = job.route.question
    if question is not None:
        row = {"route": job.route.name, "folder": question["folder"], "sha256": question["sha256"], "at": tx.now}
        tx.insert("questions", [row], otherwise="OR REPLACE")


def _hold(tx: Transaction, job: Job, refusal: Refusal, columns: Mapping[str, object]) -> None:
    code = refusal.reason_code
    same = job.state is JobState.HELD and job.reason_code == code
    if same and job.reason == refusal.reason:
        return  # nothing new
    tx.update("jobs", {"id": job.id}, state=JobState.HELD, reason=refusal.reason, reason_code=code, **columns)
    if not same:
        tx.record(
            JobHeld(job=job.id, source=job.source, reason=refusal.reason, code=refusal.code, waits=refusal.passes)
        )


def _line(tx: Transaction, job: Job, part: Part, done: Collected) -> dict[str, object]:
    bill, asked = done.bill, done.asked or job.asked()
    return {
        "job": job.id,
        "first": part.first,
        "attempt": part.attempt,
        "batch": done.batch,
        "at": tx.now,
        "route": job.route.name,
        "provider": asked.provider,
        "model": asked.model,
        "lane": done.lane,
        "currency": asked.terms.currency if asked.terms else "",
        "answers": bill.answers,
        "input_tokens": bill.usage.input_tokens,
        "cached_tokens": bill.usage.cached_tokens,
        "output_tokens": bill.usage.output_tokens,
        "wasted_input": bill.wasted.input_tokens,
        "wasted_output": bill.wasted.output_tokens,
        "cost": _countable(bill.cost),
        "wasted_cost": _countable(bill.wasted_cost),
        "live_cost": _countable(bill.live_cost),
        "estimated": bill.estimated,
    }


def _countable(money: int | None) -> int | None:
    """The amount; None if a service claims tokens that cost too much to be true: the database holds no such sum."""
    return None if money is None or money >= MAX_AMOUNT else money


def _calibrate(tx: Transaction, asked: Asked, part: Part, bill: Bill) -> None:
    """Add to the calibration. Only for parts whose every request the service counted, since we counted every one."""
    tokens = {"estimated": part.counted_tokens, "actual": bill.usage.input_tokens}
    tx.run("calibrate", provider=asked.provider, model=asked.model, **tokens)


def _compare(tx: Transaction, batch: str) -> None:
    """Once a batch is collected, record if the provider counts other tokens: the provider's bill is the one to pay."""
    rows = tx.fetch("batch_bill", batch=batch)
    [stored] = tx.fetch("batch", key=batch)
    if not rows or stored["usage"] is None or rows[0]["estimated"]:
        return
    ours, theirs = rows[0], usage_of(stored["usage"])
    if (theirs.input_tokens, theirs.output_tokens) != (ours["input_tokens"], ours["output_tokens"]):
        told: dict[str, Any] = {"input_tokens": ours["input_tokens"], "output_tokens": ours["output_tokens"]}
        told |= {"provider_input": theirs.input_tokens, "provider_output": theirs.output_tokens}
        tx.record(UsageDiffers(batch=batch, **told))
