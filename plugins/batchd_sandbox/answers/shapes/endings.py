"""Shapes of endings: why a model stopped, in the words of many services."""

from __future__ import annotations

from .form import Change, Record, Shape, message_of

_WORDS = {
    # whole
    "end_turn": "xAI, relays to Anthropic",
    "eos": "Together",
    "eos_token": "Text Generation Inference",
    "STOP": "Gemini",
    "stop_sequence": "Cohere, Anthropic",
    "completed": "relays",
    "COMPLETE": "Cohere",
    # cut
    "length": "OpenAI",
    "max_tokens": "Anthropic",
    "model_length": "Mistral",
    "MAX_TOKENS": "Gemini, Cohere",
    "incomplete": "relays",
    "model_context_window_exceeded": "Zhipu, Anthropic",
    # filtered
    "content_filter": "OpenAI, Azure",
    "sensitive": "Zhipu",
    "SAFETY": "Gemini",
    "RECITATION": "Gemini",
    "PROHIBITED_CONTENT": "Gemini",
    "refusal": "Anthropic",
    "guardrail_intervened": "Bedrock",
    # broken off
    "insufficient_system_resource": "DeepSeek",
    "network_error": "Zhipu",
    "error": "OpenRouter, Mistral",
    "abort": "vLLM, SGLang",
    "MALFORMED_FUNCTION_CALL": "Gemini",
    # unknown
    "purple": "none",
}


def _ends(word: str | None) -> Change:
    def change(record: Record, body: Record) -> None:
        message = message_of(body)
        text = message["content"]
        if word not in (None, "end_turn", "eos", "eos_token", "STOP", "stop_sequence", "completed", "COMPLETE"):
            message["content"] = text[: len(text) // 2]
        body["choices"][0]["finish_reason"] = word

    return change


def _no_word(record: Record, body: Record) -> None:
    del body["choices"][0]["finish_reason"]


ENDINGS = (
    *(Shape(f"finish-{word}", seen, f"finish_reason {word}", _ends(word)) for word, seen in _WORDS.items()),
    Shape("finish-null", "many", "finish_reason null", _ends(None)),
    Shape("finish-missing", "some", "no finish_reason", _no_word),
)
