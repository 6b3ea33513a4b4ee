"""Bodies of answers in the words of many services: endings, thinking, tokens."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchd.bodies.finishing import Ending, ending_of
from batchd.bodies.thinking import without_thinking
from batchd.bodies.usage import Usage, count_tokens, read_usage
from batchd.model import Failure, Response

pytestmark = pytest.mark.field("answers")

ENDINGS = {
    Ending.WHOLE: "stop end_turn eos STOP stop_sequence completed null COMPLETE FinishReason.STOP eos_token tool_calls",
    Ending.CUT: "length max_tokens model_length MAX_TOKENS incomplete maxTokens model_context_window_exceeded limit",
    Ending.FILTERED: (
        "content_filter sensitive SAFETY RECITATION PROHIBITED_CONTENT refusal BLOCKLIST SPII contentFilter "
        "guardrail_intervened ERROR_TOXIC data_inspection_failed"
    ),
    Ending.BROKEN: (
        "insufficient_system_resource network_error error abort ERROR timeout user_cancel MALFORMED_FUNCTION_CALL "
        "in_progress cancelled"
    ),
    Ending.UNKNOWN: "purple OTHER pause_turn",
}


@pytest.mark.parametrize(
    ("word", "ending"), [(word, ending) for ending, words in ENDINGS.items() for word in words.split()]
)
def test_how_a_model_stopped(word: str, ending: Ending) -> None:
    assert ending_of(word) is ending


def test_no_word_is_a_whole_answer_and_a_number_is_none_that_is_known() -> None:
    assert [ending_of(word) for word in (None, "", 5)] == [Ending.WHOLE, Ending.WHOLE, Ending.UNKNOWN]


def responses(status: str, **more: Any) -> Response:
    output = [{"type": "message", "content": [{"type": "output_text", "text": "half"}]}]
    return Response({"object": "response", "status": status, "output": output, **more})


@pytest.mark.parametrize(
    ("response", "code", "transient"),
    [
        (responses("completed"), None, False),
        (responses("incomplete", incomplete_details={"reason": "max_output_tokens"}), "length", False),
        (responses("incomplete", incomplete_details={"reason": "content_filter"}), "content_filter", False),
        (responses("incomplete", incomplete_details=None), "length", False),
        (responses("failed", error={"code": "server_error", "message": "Oops."}), "server_error", True),
        (responses("failed", error={"code": "invalid_prompt", "message": "No."}), "invalid_prompt", False),
        (responses("completed", error={"code": "rate_limit_exceeded", "message": "x"}), "rate_limit_exceeded", True),
        (responses("cancelled"), "cancelled", True),
        (responses("in_progress"), "in_progress", True),
    ],
)  # fmt: skip
def test_the_status_of_a_response_is_judged_like_any_word(
    response: Response, code: str | None, transient: bool
) -> None:
    failure = response.failure
    assert (failure and failure.code, bool(failure and failure.transient)) == (code, transient)


def test_a_word_never_heard_fails_the_row_by_that_word_and_quotes_the_answer() -> None:
    failure = Response({"choices": [{"message": {"content": "half"}, "finish_reason": "purple"}]}).failure
    assert isinstance(failure, Failure)
    assert (failure.code, failure.transient) == ("purple", False)
    assert "'half'" in failure.message


@pytest.mark.parametrize(
    "text",
    [
        "<think>\nSays good | fast | cheap.\n</think>\n\ngood",
        "Let me see.\n</think>\n\ngood",
        "Let me see.</think>good",
        "<thinking>a</thinking>\ngood",
        "<reasoning>a</reasoning>good",
        "<THINK>a</THINK>good",
        "<think>a <think>b</think> c</think>good",
        "<think>about the <think> tag</think>good",
        "<think>a</think><think>b</think>good",
        '\ufeff <think type="x">a</think>good',
        "&lt;think&gt;a&lt;/think&gt;good",
        "[THINK]a[/THINK]good",
        "a[/THINK]good",
        "◁think▷a◁/think▷good",
        "<seed:think>a</seed:think>good",
        "<|begin_of_thought|>a<|end_of_thought|><|begin_of_solution|>good<|end_of_solution|>",
        "<think>a</think><answer>good</answer>",
        "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>good<|return|>",
        "<|channel|>final<|message|>good",
        "analysisWe see.assistantfinalgood",
        "<unused94>thought\na<unused95>good",
        '<details type="reasoning" done="true">a</details>\ngood',
        "Here is my thought process: a Here is my response: good",
        "<think></think>\n\ngood",
        "<think/>good",
        "<think>a</thinking>good",
        "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final <|constrain|>JSON<|message|>good",
        "\ufeffgood",
    ],
)
def test_thinking_at_the_front_is_no_part_of_the_answer(text: str) -> None:
    assert without_thinking(text) == "good"


@pytest.mark.parametrize(
    "text",
    [
        " good\n",
        "a < b",
        "good <think>later</think>",
        "Use `</think>` to end it.",
        "<b>bold</b>",
        "analysis of it",
        "[1]",
    ],
)
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert without_thinking(text) == text


def test_thinking_that_does_not_end_is_no_answer() -> None:
    assert without_thinking("<think>and so on") == ""


KNOWN: dict[str, tuple[Any, Usage | None]] = {
    "openai": (
        {"prompt_tokens": 1000, "completion_tokens": 10, "total_tokens": 1010, "prompt_tokens_details": {"cached_tokens": 900}},
        Usage(1000, 900, 10),
    ),
    "responses": ({"input_tokens": 7, "output_tokens": 3, "input_tokens_details": {"cached_tokens": 2}}, Usage(7, 2, 3)),
    "deepseek": (
        {"prompt_tokens": 1000, "completion_tokens": 10, "total_tokens": 1010, "prompt_cache_hit_tokens": 900, "prompt_cache_miss_tokens": 100},
        Usage(1000, 900, 10),
    ),
    "moonshot": ({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15, "cached_tokens": 8}, Usage(10, 8, 5)),
    "xai": (
        {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 315, "completion_tokens_details": {"reasoning_tokens": 300}},
        Usage(10, 0, 305),
    ),
    "xai without a total": (
        {"prompt_tokens": 10, "completion_tokens": 5, "completion_tokens_details": {"reasoning_tokens": 300}},
        Usage(10, 0, 305),
    ),
    "gemini": ({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 115}, Usage(10, 0, 105)),
    "gemini's own": (
        {"promptTokenCount": 10, "candidatesTokenCount": 5, "thoughtsTokenCount": 3, "totalTokenCount": 18},
        Usage(10, 0, 8),
    ),
    "anthropic": (
        {"input_tokens": 100, "cache_read_input_tokens": 900, "cache_creation_input_tokens": 50, "output_tokens": 10},
        Usage(1050, 900, 10, cache_writes=50),
    ),
    "anthropic through a relay": (
        {"prompt_tokens": 1000, "completion_tokens": 10, "total_tokens": 1010, "cache_read_input_tokens": 900},
        Usage(1000, 900, 10),
    ),
    "cache beside the prompt": (
        {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 1010, "cache_read_input_tokens": 900},
        Usage(1000, 900, 10),
    ),
    "a cost": ({"prompt_tokens": 10, "completion_tokens": 5, "cost_usd": 3.5, "cost": 1}, Usage(10, 0, 5)),
    "fractions": ({"prompt_tokens": 10.0, "completion_tokens": 4.5}, Usage(10, 0, 5)),
    "text": ({"prompt_tokens": "1,000", "completion_tokens": " 5 "}, Usage(1000, 0, 5)),
    "a total only for output": ({"prompt_tokens": 10, "completion_tokens": None, "total_tokens": 15}, Usage(10, 0, 5)),
    "a total only for input": ({"prompt_tokens": None, "completion_tokens": 5, "total_tokens": 15}, Usage(10, 0, 5)),
    "both words": ({"prompt_tokens": 0, "input_tokens": 10, "completion_tokens": 0, "output_tokens": 5}, Usage(10, 0, 5)),
    "null": (None, None),
    "a list": ([5], None),
    "zeros": ({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}, None),
    "negative": ({"prompt_tokens": -5, "completion_tokens": 5}, None),
    "beyond 64 bits": ({"prompt_tokens": 10, "completion_tokens": 2**64}, None),
    "infinite": ({"prompt_tokens": 10, "completion_tokens": float("inf")}, None),
    "true": ({"prompt_tokens": True, "completion_tokens": 5}, None),
    "words": ({"prompt_tokens": "many", "completion_tokens": 5}, None),
    "more cached than there are": (
        {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15, "cached_tokens": 2**63}, Usage(10, 0, 5),
    ),
}  # fmt: skip


@pytest.mark.field("money")
@pytest.mark.parametrize("shape", KNOWN)
def test_tokens_are_read_in_every_shape(shape: str) -> None:
    written, expected = KNOWN[shape]
    assert read_usage(written) == expected


@pytest.mark.field("money")
def test_what_one_side_says_is_kept_where_the_other_is_not_known() -> None:
    counted = count_tokens({"prompt_tokens": 1000, "completion_tokens": None})
    assert counted.at_least(Usage(10, 0, 50)) == Usage(1000, 0, 50)


@pytest.mark.field("money")
def test_an_answer_with_a_text_has_used_tokens() -> None:
    body = {"choices": [{"message": {"content": "yes"}}], "usage": {"prompt_tokens": 10, "completion_tokens": 0}}
    assert Response(body).usage is None
    assert Response({"data": [{"embedding": [0.1]}], "usage": {"prompt_tokens": 10}}).usage == Usage(10, 0, 0)


@pytest.mark.field("money")
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "prompt_tokens": st.integers(-1, 9) | st.just(None),
            "completion_tokens": st.integers(-1, 9),
            "total_tokens": st.integers(0, 20),
            "prompt_tokens_details": st.fixed_dictionaries({}, optional={"cached_tokens": st.integers(-1, 9)}),
            "completion_tokens_details": st.fixed_dictionaries({}, optional={"reasoning_tokens": st.integers(-1, 9)}),
        },
    )
)
def test_the_quick_way_to_count_counts_like_the_general_one(usage: dict[str, Any]) -> None:
    # A key that says nothing keeps it from the quick way.
    assert count_tokens(usage) == count_tokens({**usage, "cost": 1})
