"""The last protection against secrets in logs: covers what looks like one.

The first protection is `batchd.Secret`, which never shows its value; the second is `known`, which covers the secrets
that were read. This one is for what neither knows: a library that logs its headers, a key of somebody else.
"""

from __future__ import annotations

import re

COVER = "…"

_NAMES = (
    r"api[-_ ]?key|x-api-key|authorization|proxy-authorization|password|passwd|secret|client[-_]secret"
    r"|(?:access|auth|refresh|session|id)[-_]token|private[-_]key"
)
_SECRETS: tuple[tuple[re.Pattern[str], str], ...] = (
    # Authorization headers, and the text after the scheme in prose.
    (re.compile(r"\b(Bearer|Basic)(\s+)[A-Za-z0-9._~+/=-]{6,}", re.IGNORECASE), rf"\1\2{COVER}"),
    # Keys with a known prefix.
    (
        re.compile(
            r"\b(sk-|pk-|rk-|sk_|rk_|gsk_|xai-|hf_|ghp_|gho_|github_pat_|r8_|pplx-|nvapi-|AIza|AKIA|xox[abprs]-)"
            r"[A-Za-z0-9_.*-]{8,}"
        ),
        rf"\1{COVER}",
    ),
    # name = value, "name": "value". A reference to a secret is not a secret.
    (
        re.compile(
            rf"(?<![A-Za-z0-9])({_NAMES})([\"']?\s*[:=]\s*[\"']?)(?!(?:env|file|credential):)(?!(?:Bearer|Basic)\b)"
            rf"[^\s\"',;&}}{COVER}]{{4,}}",
            re.IGNORECASE,
        ),
        rf"\1\2{COVER}",
    ),
    # https://user:password@host
    (re.compile(r"(://[^\s/:@]*:)[^\s/@]+(?=@)"), rf"\1{COVER}"),
    # ?key=…, as some services have it.
    (re.compile(r"([?&](?:key|token|sig|signature)=)[^\s&\"'#]{4,}", re.IGNORECASE), rf"\1{COVER}"),
)


def mask(text: str) -> str:
    """The text with what looks like a secret covered."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text
