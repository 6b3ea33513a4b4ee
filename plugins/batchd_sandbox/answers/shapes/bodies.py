"""Shapes of bodies, of contents, and of a model's thinking before its answer."""

from __future__ import annotations

import json

from .form import Change, Record, Shape, message_of, of_body, of_text, text_of, whole

_THOUGHT = "Is it good | bad | neither? The review says so.\n"


def _stream(body: Record) -> str:
    text = text_of(body)
    pieces = [
        {"id": body["id"], "choices": [{"index": 0, "delta": {"role": "assistant", "content": text[:5]}}]},
        {"id": body["id"], "choices": [{"index": 0, "delta": {"content": text[5:]}, "finish_reason": "stop"}]},
        {"id": body["id"], "choices": [], "usage": body["usage"]},
    ]
    return "".join(f"data: {json.dumps(piece)}\n\n" for piece in pieces) + "data: [DONE]\n\n"


def _responses(status: str, **more: object) -> Change:
    def write(body: Record) -> Record:
        usage = body["usage"]
        written = {"type": "output_text", "text": text_of(body), "annotations": []}
        return {
            "id": "resp_1",
            "object": "response",
            "status": status,
            "error": None,
            "incomplete_details": None,
            "output": [
                {"type": "reasoning", "summary": [{"type": "summary_text", "text": _THOUGHT}]},
                {"type": "message", "role": "assistant", "content": [written]},
            ],
            "usage": {
                "input_tokens": usage["prompt_tokens"],
                "output_tokens": usage["completion_tokens"],
                "total_tokens": usage["total_tokens"],
            },
            **more,
        }

    return whole(write)


def _anthropic(body: Record) -> Record:
    usage = body["usage"]
    return {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "thinking", "thinking": _THOUGHT}, {"type": "text", "text": text_of(body)}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": usage["prompt_tokens"], "output_tokens": usage["completion_tokens"]},
    }


def _gemini(body: Record) -> Record:
    usage = body["usage"]
    parts = [{"text": _THOUGHT, "thought": True}, {"text": text_of(body)}]
    return {
        "candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": "STOP"}],
        "usageMetadata": {
            "promptTokenCount": usage["prompt_tokens"],
            "candidatesTokenCount": usage["completion_tokens"],
            "totalTokenCount": usage["total_tokens"],
        },
    }


def _beside(**fields: object) -> Change:
    def change(record: Record, body: Record) -> None:
        message_of(body).update(fields)

    return change


def _audio(record: Record, body: Record) -> None:
    message = message_of(body)
    message["audio"] = {"id": "audio_1", "data": "AAAA", "transcript": message["content"]}
    message["content"] = None


def _no_frame(record: Record, body: Record) -> None:
    record["response"] = body


def _no_status(record: Record, body: Record) -> None:
    del record["response"]["status_code"]


def _status_as_text(record: Record, body: Record) -> None:
    record["response"]["status_code"] = "200"


def _response_as_text(record: Record, body: Record) -> None:
    record["response"] = json.dumps(record["response"])


def _choices(value: object) -> Change:
    return whole(lambda body: {**body, "choices": value})


BODIES = (
    of_body("body-as-text", "gateways", "the body is a text of JSON", json.dumps),
    of_body(
        "body-as-text-twice", "gateways", "the body is a text of a text of JSON", lambda b: json.dumps(json.dumps(b))
    ),
    Shape("response-as-text", "gateways", "the response is a text of JSON", _response_as_text),
    of_body("body-as-stream", "relays", "the body is a stream of events, though none was asked for", _stream),
    of_body(
        "body-in-envelope", "SiliconFlow", "the body is in an envelope of code and data",
        lambda b: {"code": 20000, "status": True, "data": b},
    ),
    Shape("no-frame", "relays", "the response is the body, without a frame", _no_frame),
    Shape("no-status", "gateways", "the response has no status", _no_status),
    Shape("status-as-text", "gateways", "the status is a text", _status_as_text),
    Shape("responses-completed", "relays", "a chat is answered in the form of /v1/responses", _responses("completed")),
    Shape(
        "responses-cut", "OpenAI", "status incomplete, reason max_output_tokens",
        _responses("incomplete", incomplete_details={"reason": "max_output_tokens"}),
    ),
    Shape(
        "responses-filtered", "OpenAI", "status incomplete, reason content_filter",
        _responses("incomplete", incomplete_details={"reason": "content_filter"}),
    ),
    Shape(
        "responses-failed", "OpenAI", "status failed, error server_error",
        _responses("failed", error={"code": "server_error", "message": "The server had an error."}),
    ),
    Shape(
        "responses-refused", "OpenAI", "status failed, error invalid_prompt",
        _responses("failed", error={"code": "invalid_prompt", "message": "Invalid prompt."}),
    ),
    Shape("responses-cancelled", "OpenAI", "status cancelled", _responses("cancelled")),
    of_body("anthropic", "relays to Anthropic", "a message with content blocks and stop_reason", _anthropic),
    of_body("gemini", "relays to Gemini", "candidates with parts and finishReason", _gemini),
    of_text(
        "content-pieces", "many", "the content is a list of pieces",
        lambda text: [{"type": "text", "text": text[:5]}, {"type": "text", "text": text[5:]}],
    ),
    of_text("content-texts", "relays", "the content is a list of texts", lambda text: [text[:5], text[5:]]),
    of_text(
        "content-one-piece", "relays", "the content is one piece, not in a list",
        lambda text: {"type": "text", "text": text},
    ),
    of_text("content-number", "relays", "the content is a number", lambda text: 4),
    of_text("content-null", "many", "the content is null", lambda text: None),
    of_body(
        "content-missing", "some", "the message has no content",
        lambda b: {**b, "choices": [{"message": {"role": "assistant"}, "finish_reason": "stop"}]},
    ),
    Shape(
        "refusal", "OpenAI", "the content is null, the refusal is a text",
        _beside(content=None, refusal="I cannot help with that."),
    ),
    of_text(
        "refusal-piece", "OpenAI", "the content is a piece of type refusal",
        lambda text: [{"type": "refusal", "refusal": "I cannot help with that."}],
    ),
    Shape("audio", "OpenAI", "the text is the transcript of an audio", _audio),
    Shape("choices-empty", "Azure", "the list of choices is empty", _choices([])),
    Shape("choices-null", "relays", "the choices are null", _choices(None)),
    of_body("body-null", "gateways", "the body is null", lambda b: None),
    of_body("body-empty", "gateways", "the body is an empty object", lambda b: {}),
    of_body("body-html", "proxies", "the body is a page of HTML", lambda b: "<html>Sign in</html>"),
    Shape(
        "error-in-success", "OpenRouter", "status 200 with an error in the body",
        whole(lambda b: {"error": {"code": 502, "message": "Provider returned error"}}),
        free=True,
    ),
    of_text(
        "think", "DeepSeek-R1, QwQ", "<think>…</think> before the answer",
        lambda t: f"<think>\n{_THOUGHT}</think>\n\n{t}",
    ),
    of_text(
        "think-lone-end", "DeepSeek-R1, vLLM", "</think> alone before the answer",
        lambda t: f"{_THOUGHT}</think>\n\n{t}",
    ),
    of_text("think-empty", "Qwen3", "an empty block before the answer", lambda t: f"<think>\n\n</think>\n\n{t}"),
    of_text(
        "think-answer", "models of R1's kind", "<think>…</think><answer>…</answer>",
        lambda t: f"<think>{_THOUGHT}</think>\n<answer>{t}</answer>",
    ),
    of_text("think-unfinished", "any", "thinking that never ends", lambda t: f"<think>{_THOUGHT}{t}"),
    of_text(
        "thinking-tag", "Claude by prompt", "<thinking>…</thinking> before the answer",
        lambda t: f"<thinking>{_THOUGHT}</thinking>{t}",
    ),
    of_text(
        "reasoning-tag", "relays", "<reasoning>…</reasoning> before the answer",
        lambda t: f"<reasoning>{_THOUGHT}</reasoning>\n{t}",
    ),
    of_text(
        "think-brackets", "Magistral", "[THINK]…[/THINK] before the answer", lambda t: f"[THINK]{_THOUGHT}[/THINK]{t}"
    ),
    of_text(
        "think-pieces", "Magistral", "a piece of type thinking before the text",
        lambda t: [
            {"type": "thinking", "thinking": [{"type": "text", "text": _THOUGHT}]},
            {"type": "text", "text": t},
        ],
    ),
    of_text("think-triangles", "Kimi", "◁think▷…◁/think▷ before the answer", lambda t: f"◁think▷{_THOUGHT}◁/think▷{t}"),
    of_text(
        "think-marks", "OpenThinker", "marks of thought and solution",
        lambda t: f"<|begin_of_thought|>{_THOUGHT}<|end_of_thought|><|begin_of_solution|>{t}<|end_of_solution|>",
    ),
    of_text(
        "channels", "gpt-oss", "the channels analysis and final",
        lambda t: (
            f"<|channel|>analysis<|message|>{_THOUGHT}<|end|><|start|>assistant<|channel|>final<|message|>{t}<|return|>"
        ),
    ),
    of_text(
        "channels-bare", "gpt-oss", "the channels without their marks", lambda t: f"analysis{_THOUGHT}assistantfinal{t}"
    ),
    Shape("reasoning-beside", "DeepSeek", "reasoning_content beside the content", _beside(reasoning_content=_THOUGHT)),
    Shape(
        "reasoning-alone", "vLLM", "reasoning_content, and the content is null",
        _beside(reasoning_content=_THOUGHT, content=None),
    ),
)  # fmt: skip
