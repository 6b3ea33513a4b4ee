"""Brings answers of other APIs, which relays pass on, into OpenAI's form: the answer, its end and its tokens."""

from __future__ import annotations

import json
from collections.abc import Mapping

from .usage import Json

_Body = Mapping[str, Json]


def known_form(body: Json) -> Json:
    """The body in OpenAI's form; unchanged if it has that form already, or no known form.

    >>> known_form({"output": {"text": "good", "finish_reason": "length"}})["choices"]
    [{'message': {'content': 'good'}, 'finish_reason': 'length'}]
    """
    if isinstance(body, list) and len(body) == 1:
        body = body[0]
    if not isinstance(body, dict):
        return body
    choice = _choice(body)
    if choice is not None:
        body = {**body, "choices": [choice]}
    elif body.get("object") == "response" and not body.get("output") and isinstance(body.get("output_text"), str):
        body = {**body, "output": [{"type": "message", "content": body["output_text"]}]}
    if any(isinstance(body.get(name), dict) and _counts(body[name]) for name in ("usage", "usageMetadata")):
        return body
    usage = _usage(body)
    return body if usage is None else {**body, "usage": usage}


def _choice(body: _Body) -> _Body | None:
    """Return the first choice in OpenAI's form; None if the body has it in this form already, or has no choice."""
    choices = body.get("choices")
    if choices:
        return _usual_choice(choices)
    for read in (_converse, _cohere, _dashscope, _ollama, _llama_cpp, _text_generation, _anthropic):
        choice = read(body)
        if choice is not None:
            return choice
    return None


def _usual_choice(choices: Json) -> _Body | None:
    first = choices
    if isinstance(choices, dict) and not choices.keys() & {"message", "text", "delta", "messages"}:
        first = next(iter(choices.values()))
    elif isinstance(choices, list):
        first = choices[0]
    if not isinstance(first, dict):
        return None
    message = first.get("message", first.get("messages"))
    if isinstance(message, list) and message and isinstance(message[-1], dict):
        return {**first, "message": message[-1]}
    if message is None and isinstance(first.get("delta"), dict):
        return {**first, "message": first["delta"]}
    return None if isinstance(choices, list) else first


def _made(content: Json, word: Json) -> _Body:
    return {"message": {"content": content}, "finish_reason": word}


def _converse(body: _Body) -> _Body | None:
    output = body.get("output")  # of Bedrock
    if not isinstance(output, dict) or not isinstance(output.get("message"), dict):
        return None
    return {"message": output["message"], "finish_reason": body.get("stopReason")}


def _cohere(body: _Body) -> _Body | None:
    if isinstance(body.get("message"), dict) and "finish_reason" in body:
        return {"message": body["message"], "finish_reason": body["finish_reason"]}
    if isinstance(body.get("text"), str) and "finish_reason" in body:
        return _made(body["text"], body["finish_reason"])
    return None


def _dashscope(body: _Body) -> _Body | None:
    output = body.get("output")
    if not isinstance(output, dict) or not isinstance(output.get("text"), str):
        return None
    return _made(output["text"], output.get("finish_reason"))


def _ollama(body: _Body) -> _Body | None:
    if not isinstance(body.get("response"), str) or "done" not in body:
        return None
    return _made(body["response"], body.get("done_reason") if body["done"] is True else "interrupted")


def _llama_cpp(body: _Body) -> _Body | None:
    if not isinstance(body.get("content"), str) or "tokens_predicted" not in body:
        return None
    cut = body.get("stopped_limit") is True or body.get("stop_type") == "limit"
    return _made(body["content"], "length" if cut else "stop")


def _text_generation(body: _Body) -> _Body | None:
    if not isinstance(body.get("generated_text"), str):
        return None
    details = body.get("details")
    return _made(body["generated_text"], details.get("finish_reason") if isinstance(details, dict) else None)


def _anthropic(body: _Body) -> _Body | None:
    if body.get("type") == "message" or body.get("role") != "assistant" or not isinstance(body.get("content"), list):
        return None
    return {"message": body, "finish_reason": body.get("stop_reason")}


def _usage(body: _Body) -> Json:
    """Return a usage that is not in its usual place; None if there is none."""
    usage = body.get("usage")
    if isinstance(usage, str) and len(usage) < 10_000:
        try:
            usage = json.loads(usage)
        except (ValueError, RecursionError):
            usage = None
    choices = body.get("choices")
    places = [usage, *(usage if isinstance(usage, list) else ())]
    for place in (
        usage,
        body.get("meta"),
        body.get("x_groq"),
        choices[0] if isinstance(choices, list) and choices else 0,
    ):
        if isinstance(place, dict):
            # Of Cohere's two counts, the billed one.
            places += [place.get(name) for name in ("usage", "billed_units", "tokens")]
    found = next((place for place in places if isinstance(place, dict) and _counts(place)), None)
    if found is None and ("eval_count" in body or "tokens_predicted" in body):
        return {
            "prompt_tokens": body.get("prompt_eval_count", body.get("tokens_evaluated")),
            "completion_tokens": body.get("eval_count", body.get("tokens_predicted")),
        }
    return found


def _counts(usage: _Body) -> bool:
    return any("oken" in name and name != "tokens" for name in usage)
