"""An estimate as a record for machines."""

from __future__ import annotations

from typing import Any

from ...money.estimating import Quote, Span
from ...money.pricing import unit
from .estimate import ChainCost, Estimate


def record(made: Estimate) -> dict[str, Any]:
    """Return the whole estimate; money in units of the currency, null if it is not known."""
    counted = made.counted
    return {
        "file": made.file,
        "route": made.route,
        "rows": None
        if counted is None
        else {
            "total": counted.rows,
            "looked_at": counted.looked_at,
            "sampled": counted.share < 1,
            "unaskable": dict(counted.failed),
            "repeats": counted.repeats,
        },
        "empty_rows": 0 if counted is None else counted.empty,
        "requests": made.requests,
        "tokens": {
            "counted_by": made.counted_by or None,
            "correction": round(made.correction, 4),
            "output_most": made.answers.most,
            "output_likely": made.answers.likely,
            "output_likely_from": made.answers.basis,
        },
        "currency": made.currency,
        "models": [_record(each, made) for each in made.quotes],
        **({"steps": [_step(step) for step in made.steps]} if made.steps else {}),
        **({"chain": _chain(made.chain, made.currency)} if made.chain is not None else {}),
        "unknown": list(made.unknown),
        "refused_params": list(made.refused_params),
        "held": made.held,
        "refusal": None
        if made.refusal is None
        else {"code": made.refusal.code, "reason": made.refusal.reason, "passes": made.refusal.passes},
        "limits": [
            {
                "limit": each.name,
                "allowed": units(each.allowed, made.currency),
                "left": units(each.left, made.currency),
            }
            for each in made.limits
        ],
        "advice": [{"code": each.code, "text": each.text} for each in made.advice],
    }


def _step(step: Estimate) -> dict[str, Any]:
    return {"route": step.route, "requests": step.requests, **_record(step.quote(), step)}


def _chain(chain: ChainCost, currency: str) -> dict[str, Any]:
    return {
        "likely": units(chain.likely, currency),
        "most": units(chain.most, currency),
        "held_before": None if chain.may else chain.held_before,
        "may_be_held_before": chain.held_before,
        "reason": chain.reason or None,
    }


def _record(each: Quote, made: Estimate) -> dict[str, Any]:
    return {
        "provider": each.provider,
        "model": each.model,
        "of_route": (each.provider, each.model) == made.own,
        "input_tokens": each.input_tokens,
        "price_from": None if each.terms is None else each.terms.source,
        "batch": _span(each.batch, made.currency),
        "live": _span(each.live, made.currency),
        "saving": None if each.saving is None else round(each.saving, 4),
    }


def _span(span: Span | None, currency: str) -> dict[str, float | None] | None:
    return None if span is None else {"likely": units(span.likely, currency), "most": units(span.most, currency)}


def units(subunits: int | None, currency: str) -> float | None:
    """An amount for machines: in units of the currency, None if it is not known."""
    return None if subunits is None else subunits / unit(currency)
