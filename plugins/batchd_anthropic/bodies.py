"""Turns a chat request in OpenAI's form into one for Anthropic's Messages, or says why that cannot be done."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from batchd import Body, Json

from .content import Untranslatable, conversation
from .schemas import simple_schema

_AS_THEY_ARE = frozenset(
    {"model", "thinking", "top_k", "cache_control", "inference_geo", "speed", "container", "context_management"}
)
"""Keys that mean the same there, or are Anthropic's own."""
_WITHOUT_EFFECT = frozenset({"prompt_cache_key", "prompt_cache_retention"})
"""Hints that change no answer."""
_EFFORTS = frozenset({"low", "medium", "high", "xhigh", "max"})
_TIERS = {"auto": "auto", "default": "standard_only", "standard_only": "standard_only"}
_CHOICES = {"auto": "auto", "none": "none", "required": "any"}


Translate = Callable[[Mapping[str, Json]], Body]


def translator(endpoint: str, *, max_tokens: int) -> Translate:
    """Return the function that translates requests for this endpoint. Raises `Untranslatable` for other endpoints."""
    match endpoint.removeprefix("/v1"):
        case "/chat/completions":
            return partial(messages_request, max_tokens=max_tokens)
        case "/messages":
            return partial(_own_request, max_tokens=max_tokens)
    raise Untranslatable(
        "unsupported_endpoint",
        f"The route asks the endpoint {endpoint}, and Anthropic has none like it. Write endpoint = "
        '"/v1/chat/completions", whose requests batchd translates, or "/v1/messages" for files of Anthropic\'s own.',
    )


def _own_request(body: Mapping[str, Json], *, max_tokens: int) -> Body:
    """Check a request that is already written for Anthropic, and set its `max_tokens`."""
    _only("stream", False)(body.get("stream") or False, {})
    most = _most(body, max_tokens)
    if not isinstance(body.get("messages"), list) or not body["messages"]:
        raise Untranslatable("invalid_request", "messages is no list of messages. Write one.", "messages")
    return {**body, "max_tokens": most}


def messages_request(body: Mapping[str, Json], *, max_tokens: int) -> Body:
    """Return the request for Anthropic. `max_tokens` is for requests that set none.

    Raises `Untranslatable` for what has no counterpart at Anthropic and would otherwise be left out silently.
    """
    system, messages = conversation(body.get("messages"))
    made: Body = {"max_tokens": _most(body, max_tokens), "messages": messages}
    if system:
        made["system"] = system
    for name, value in body.items():
        if value is None or name in _DONE or name in _WITHOUT_EFFECT:
            continue
        if name in _AS_THEY_ARE:
            made[name] = value
            continue
        translate = _TRANSLATED.get(name)
        if translate is None:
            raise _unsupported(name, "has no counterpart at Anthropic. Remove it.")
        translate(value, made)
    _tools(body, made)
    return made


_DONE = frozenset({"messages", "max_tokens", "max_completion_tokens", "tools", "tool_choice", "parallel_tool_calls"})


def _most(body: Mapping[str, Json], otherwise: int) -> int:
    for name in ("max_completion_tokens", "max_tokens"):
        most = body.get(name)
        if most is None:
            continue
        if type(most) is not int or most < 1:
            raise _wrong(name, most, "Anthropic takes a whole number from 1 up")
        return most
    return otherwise


def _wrong(name: str, value: Json, takes: str) -> Untranslatable:
    shown = json.dumps(value)[:100]
    return Untranslatable("invalid_value", f"{name} is {shown}, and {takes}. Change it, or leave it out.", name)


def _unsupported(name: str, why: str) -> Untranslatable:
    return Untranslatable("unsupported_parameter", f"{name} {why}", name)


def _number(name: str, least: float, most: float) -> Callable[[Json, Body], None]:
    def translate(value: Json, made: Body) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise _wrong(name, value, f"Anthropic takes a number from {least:g} to {most:g}")
        made[name] = value

    return translate


def _only(name: str, usual: Json) -> Callable[[Json, Body], None]:
    """Accept only the usual value, which means the same as leaving the parameter out."""

    def translate(value: Json, made: Body) -> None:  # noqa: ARG001  # one form for all
        if value != usual:
            raise _unsupported(name, f"is {json.dumps(value)[:100]}, which has no counterpart at Anthropic. Remove it.")

    return translate


def _seed(value: Json, made: Body) -> None:  # noqa: ARG001  # one form for all
    raise _unsupported("seed", "has no counterpart at Anthropic, which cannot repeat an answer. Remove it.")


def _stop(value: Json, made: Body) -> None:
    stops = [value] if isinstance(value, str) else value
    if not isinstance(stops, list) or not all(isinstance(each, str) and each.strip() for each in stops):
        raise _wrong("stop", value, "Anthropic takes texts that are not only white space")
    if stops:
        made["stop_sequences"] = stops


def _response_format(value: Json, made: Body) -> None:
    kind = value.get("type") if isinstance(value, dict) else None
    if kind == "text":
        return
    if kind == "json_object":
        raise _unsupported(
            "response_format",
            'is "json_object", and Anthropic has JSON only by a schema. Give the route\'s prompt a schema with '
            'schema_mode = "strict" or "prompt".',
        )
    named = value.get("json_schema") if kind == "json_schema" else None
    schema = named.get("schema") if isinstance(named, dict) else None
    if not isinstance(schema, dict):
        raise _wrong("response_format", value, "Anthropic takes one of the type json_schema, with its schema")
    _output(made)["format"] = {"type": "json_schema", "schema": simple_schema(schema)}


def _output_config(value: Json, made: Body) -> None:
    if not isinstance(value, dict):
        raise _wrong("output_config", value, "Anthropic takes an object")
    made["output_config"] = {**value, **made.get("output_config", {})}


def _effort(value: Json, made: Body) -> None:
    if value == "none":
        made.setdefault("thinking", {"type": "disabled"})
    elif value == "minimal":
        _output(made)["effort"] = "low"
    elif isinstance(value, str) and value in _EFFORTS:
        _output(made)["effort"] = value
    else:
        raise _wrong("reasoning_effort", value, f"Anthropic knows {', '.join(sorted(_EFFORTS))}")


def _output(made: Body) -> dict[str, Any]:
    output: dict[str, Any] = made.setdefault("output_config", {})
    return output


def _user(value: Json, made: Body) -> None:
    if not isinstance(value, str):
        raise _wrong("user", value, "Anthropic takes a text")
    made.setdefault("metadata", {"user_id": value})


def _metadata(value: Json, made: Body) -> None:
    if not isinstance(value, dict) or not value.keys() <= {"user_id"}:
        raise _wrong("metadata", value, "Anthropic takes nothing but a user_id there")
    if value:
        made["metadata"] = value


def _tier(value: Json, made: Body) -> None:
    if not isinstance(value, str) or value not in _TIERS:
        raise _wrong("service_tier", value, f"Anthropic knows {', '.join(sorted(_TIERS))}")
    made["service_tier"] = _TIERS[value]


def _tools(body: Mapping[str, Json], made: Body) -> None:
    tools = body.get("tools")
    if tools is not None:
        if not isinstance(tools, list):
            raise _wrong("tools", tools, "Anthropic takes a list")
        made["tools"] = [_tool(each) for each in tools]
    choice, parallel = body.get("tool_choice"), body.get("parallel_tool_calls")
    chosen: Body | None = None
    if isinstance(choice, str) and choice in _CHOICES:
        chosen = {"type": _CHOICES[choice]}
    elif isinstance(choice, dict):
        function = choice.get("function")
        name = function.get("name") if isinstance(function, dict) else None
        if choice.get("type") == "function" and isinstance(name, str):
            chosen = {"type": "tool", "name": name}
        elif choice.get("type") in {"auto", "any", "none", "tool"}:
            chosen = dict(choice)
    if choice is not None and chosen is None:
        raise _wrong("tool_choice", choice, "Anthropic knows auto, none, required, or a function by its name")
    if parallel is False and made.get("tools") and (chosen is None or chosen["type"] != "none"):
        chosen = {**(chosen or {"type": "auto"}), "disable_parallel_tool_use": True}
    if chosen is not None and made.get("tools"):
        made["tool_choice"] = chosen


def _tool(tool: Json) -> Body:
    if isinstance(tool, dict) and "function" not in tool and ("input_schema" in tool or tool.get("name")):
        return tool  # Anthropic's own form
    function = tool.get("function") if isinstance(tool, dict) and tool.get("type") == "function" else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        kind = tool.get("type") if isinstance(tool, dict) else tool
        raise _unsupported(
            "tools",
            f"holds one of the type {json.dumps(kind)[:100]}, which has no counterpart at Anthropic. Only functions "
            "have.",
        )
    made: Body = {"name": function["name"], "input_schema": function.get("parameters") or {"type": "object"}}
    if function.get("description"):
        made["description"] = function["description"]
    if function.get("strict") is True:
        made["strict"] = True
        made["input_schema"] = simple_schema(made["input_schema"])
    if isinstance(tool.get("cache_control"), dict):
        made["cache_control"] = tool["cache_control"]
    return made


_TRANSLATED: Mapping[str, Callable[[Json, Body], None]] = {
    "temperature": _number("temperature", 0, 1),
    "top_p": _number("top_p", 0, 1),
    "stop": _stop,
    "stop_sequences": _stop,
    "response_format": _response_format,
    "output_config": _output_config,
    "reasoning_effort": _effort,
    "user": _user,
    "safety_identifier": _user,
    "metadata": _metadata,
    "service_tier": _tier,
    "seed": _seed,
    "n": _only("n", 1),
    "stream": _only("stream", False),
    "store": _only("store", False),
    "logprobs": _only("logprobs", False),
    "top_logprobs": _only("top_logprobs", 0),
    "logit_bias": _only("logit_bias", {}),
    "presence_penalty": _only("presence_penalty", 0),
    "frequency_penalty": _only("frequency_penalty", 0),
    "modalities": _only("modalities", ["text"]),
}
