"""The tokens that let people in: made, kept as fingerprints, and compared.

A token lets people read, or read and order. It stands in the configuration as a reference, or its fingerprint lies in
the state folder, readable for batchd alone. A cookie is signed with the fingerprint of its token: a new token ends the
sessions of the old one, and a restart ends none.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from msgspec import Struct

from ..config.web import WebTable
from ..errors import RejectedError
from ..files import make_folder, replacing
from ..secrets.known import remember
from ..store.layout import WEB_TOKENS

MIN_LENGTH = 16
"""Characters of a token: a shorter one could be guessed."""
SESSION = 7 * 86_400.0
"""Seconds after which a browser asks for the token again."""


class WebRole(StrEnum):
    """What a token lets people do."""

    READ = "read"
    ORDER = "order"

    @property
    def may_order(self) -> bool:
        """Whether it lets them give orders and upload files."""
        return self is WebRole.ORDER


class Key(Struct, frozen=True):
    """A token that is in force, by its fingerprint."""

    role: WebRole
    digest: bytes


def digest_of(token: str) -> bytes:
    """The fingerprint of a token. Ours have 256 random bits, so no slower hash is needed."""
    return hashlib.sha256(token.strip().encode()).digest()


def make_token(state: Path, role: WebRole) -> str:
    """A new token in place of the last one of this role. Only its fingerprint is kept."""
    token = secrets.token_urlsafe(32)
    remember(token)
    make_folder(state)
    _store(state, {**_stored(state), role.value: digest_of(token).hex()})
    return token


def remove_token(state: Path, role: WebRole) -> bool:
    """Remove the token of this role that `make_token` has made. Return False if there was none."""
    kept = dict(_stored(state))
    if kept.pop(role.value, None) is None:
        return False
    _store(state, kept)
    return True


def _store(state: Path, kept: Mapping[str, str]) -> None:
    with replacing(state / WEB_TOKENS, mode=0o600) as file:
        file.write(json.dumps(kept, indent=2).encode() + b"\n")


class KnownTokens(Struct, frozen=True):
    """The tokens in force. `faults` says in words which could not be read."""

    keys: tuple[Key, ...]
    faults: tuple[str, ...] = ()

    @classmethod
    def read(cls, web: WebTable, state: Path) -> KnownTokens:
        keys = [Key(WebRole(role), bytes.fromhex(digest)) for role, digest in _stored(state).items()]
        faults = []
        for role, name, secret in ((WebRole.ORDER, "token", web.token), (WebRole.READ, "read_token", web.read_token)):
            if secret is None:
                continue
            try:
                token = secret.reveal()
            except RejectedError as error:
                faults.append(f"[web] {name}: {error}")
                continue
            if len(token) < MIN_LENGTH:
                faults.append(f"[web] {name} has fewer than {MIN_LENGTH} characters, so it is not used.")
            else:
                keys.append(Key(role, digest_of(token)))
        # If both roles have the same token, it counts for the role that may do more.
        return cls(tuple(sorted(keys, key=lambda key: not key.role.may_order)), tuple(faults))

    def key_of(self, token: str) -> Key | None:
        """The key of a token; None if there is none. Takes equally long in both cases."""
        given, found = digest_of(token), None
        for key in self.keys:
            if hmac.compare_digest(given, key.digest) and found is None:
                found = key
        return found

    def session(self, key: Key, *, now: float | None = None) -> str:
        """A session cookie for a browser that has shown this token."""
        until = int((time.time() if now is None else now) + SESSION)
        told = f"{key.role}.{until}.{secrets.token_urlsafe(9)}"
        return f"{told}.{_sign(key, 'session', told)}"

    def key_of_session(self, cookie: str, *, now: float | None = None) -> Key | None:
        """The key that a cookie was signed with, None if it is wrong or too old."""
        told, _, signature = cookie.rpartition(".")
        parts = told.split(".")
        found = None
        for key in self.keys:
            signed = hmac.compare_digest(_sign(key, "session", told).encode(), signature.encode("utf-8", "replace"))
            if signed and found is None:
                found = key
        if found is None or len(parts) != 3 or parts[0] != found.role or not parts[1].isascii():
            return None
        until = int(parts[1]) if parts[1].isdigit() else 0
        return found if until > (time.time() if now is None else now) else None

    def form_token(self, key: Key, cookie: str) -> str:
        """The token that a form must carry, so that no other site can send it. It belongs to one session."""
        return _sign(key, "form", cookie)


def same(given: str, wanted: str) -> bool:
    """Whether two texts are the same. Takes equally long in both cases."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode("utf-8", "replace"))


def _sign(key: Key, purpose: str, text: str) -> str:
    return hmac.new(key.digest, f"{purpose}:{text}".encode("utf-8", "replace"), hashlib.sha256).hexdigest()


def _stored(state: Path) -> Mapping[str, str]:
    """The fingerprints in the state folder, by role. A file that is damaged lets nobody in."""
    try:
        data = json.loads((state / WEB_TOKENS).read_text("utf-8"))
        return {role.value: data[role.value] for role in WebRole if len(bytes.fromhex(data.get(role.value, ""))) == 32}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
