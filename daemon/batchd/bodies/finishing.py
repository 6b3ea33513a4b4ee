"""Why a model stopped: sorts the words of all services into the few kinds that batchd treats differently."""

from __future__ import annotations

import re
from enum import Enum
from functools import lru_cache

from .usage import Json


class Ending(Enum):
    """How an answer ended."""

    WHOLE = "whole"
    CUT = "length"
    FILTERED = "content_filter"
    BROKEN = "broken"
    UNKNOWN = "unknown"


_ENDINGS = {
    word: ending
    for ending, words in {
        Ending.WHOLE: "stop stopped stop_sequence stop_word stop_token stop_str stop_string stop_criteria finish_stop "
        "end end_turn end_of_turn end_of_text endoftext end_of_sequence end_of_message eos eos_token eos_found "
        "eos_token_id eod eot eom im_end natural normal complete completed completion done finish finished success "
        "succeeded ok none null nil undefined unspecified not_specified finish_reason_unspecified tool_call "
        "tool_calls tool_use function_call function_calls matched_stop",
        Ending.CUT: "length max_length maxlength max_tokens max_token max_new_tokens max_output_tokens "
        "max_completion_tokens max_tokens_to_sample max_tokens_reached maximum_tokens max_generation_length "
        "token_limit token_limit_reached tokens_limit limit limit_reached output_limit length_limit length_capped "
        "out_of_tokens model_length model_context_window_exceeded context_window_exceeded context_length "
        "context_length_exceeded context_limit max_context_length max_seq_len max_model_len error_limit incomplete "
        "truncated truncation cut cut_off cutoff max_tokens_exceeded exceeded_max_tokens budget_exhausted "
        "thinking_budget_exceeded",
        Ending.FILTERED: "content_filter content_filtered contentfilter filter filtered filtered_content safety "
        "unsafe sensitive sensitive_content recitation prohibited_content blocklist block blocked block_reason spii "
        "language image_safety image_prohibited_content image_recitation model_armor guardrail guardrail_intervened "
        "guardrails guardrail_violation refusal refused error_toxic toxic toxicity moderation moderated flagged "
        "data_inspection_failed datainspectionfailed policy_violation content_policy content_policy_violation policy "
        "harmful harm violation responsible_ai_policy_violation responsibleaipolicyviolation risk risk_control "
        "input_filter output_filter prompt_filter safety_filter safety_stop malicious cyber_policy",
        Ending.BROKEN: "insufficient_system_resource insufficient_system_resources insufficient_resource "
        "network_error error errored internal_error internal_server_error server_error system_error engine_error "
        "unknown_error model_error error_finish abort aborted interrupted interrupt cancel cancelled canceled "
        "user_cancel client_cancelled timeout timed_out time_limit deadline_exceeded disconnect disconnected "
        "connection_error overloaded overload preempted preemption unavailable service_unavailable rate_limit "
        "rate_limited rate_limit_exceeded failed failure malformed_function_call malformed_response "
        "malformed_tool_call unexpected_tool_call invalid_tool_call in_progress queued not_finished running "
        "vector_store_timeout",
    }.items()
    for word in words.split()
}
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def ending_of(word: Json) -> Ending:
    """The kind of ending that a service's word stands for. Without a word, the answer is whole.

    >>> ending_of("MAX_TOKENS"), ending_of("FinishReason.SAFETY"), ending_of("purple")
    (<Ending.CUT: 'length'>, <Ending.FILTERED: 'content_filter'>, <Ending.UNKNOWN: 'unknown'>)
    """
    if word is None or word is False:
        return Ending.WHOLE
    return _ending(word) if isinstance(word, str) else Ending.UNKNOWN


@lru_cache(maxsize=1024)
def _ending(word: str) -> Ending:
    plain = word.strip().rpartition(".")[2].strip("<|>[] \"'")
    plain = re.sub(r"[\s\-/:]+", "_", _CAMEL.sub("_", plain)).lower()
    for prefix in ("finish_reason_", "finishreason_", "stop_reason_"):
        plain = plain.removeprefix(prefix)
    return _ENDINGS.get(plain, Ending.UNKNOWN) if plain else Ending.WHOLE
