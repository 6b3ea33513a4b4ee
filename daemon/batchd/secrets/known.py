"""Covers the secrets that this process has read, in each form in which text from outside may repeat them.

A service may write a key into an error, an answer or a log: as it is, base64, URL-encoded, or with JSON's escapes,
which stay until the text is decoded. So this module looks for all of these forms, in text and in files.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import cache
from typing import IO, Any, AnyStr, TypeVar

from .masking import COVER

T = TypeVar("T")

MIN_LENGTH = 5
"""Shorter values ("x", "none") are written for services that need no key, and occur in normal text."""
MAX_LENGTH = 4_000
_MIN_IN_ANSWERS = 8
"""People pay for answers, so a word such as "ollama" is left in them."""
_MIN_BASE64 = 8
_WINDOW = 1 << 20
_ESCAPES = 16
"""The most bytes that one character of a secret takes if it is escaped more than once."""


class Cover:
    """Covers these secrets."""

    def __init__(self, secrets: Iterable[str]) -> None:
        usable = sorted({each for each in secrets if MIN_LENGTH <= len(each) <= MAX_LENGTH})
        self._forms = _forms(usable)
        in_answers = _forms(each for each in usable if len(each) >= _MIN_IN_ANSWERS and not each.isalpha())
        self._bytes = [_octets(form) for form in in_answers]
        self._escape = re.compile(_ways(self._forms))
        self._escape_bytes = re.compile(_octets(_ways(in_answers)))
        self._overlap = max((len(form) for form in self._bytes), default=0) * _ESCAPES

    def text(self, text: str) -> str:
        """Return the text with the secrets covered."""
        for form in self._forms:
            text = text.replace(form, COVER)
        if self._forms and self._escape.search(text):
            plain = _unescaped(text, self._escape, _letter)
            for form in self._forms:
                if form in plain:
                    text = re.sub(_escaped(form), COVER, text)
        return text

    def value(self, value: Any) -> Any:
        """Return a JSON value with the secrets covered."""
        if isinstance(value, str):
            return self.text(value)
        if not self._forms:
            return value
        if isinstance(value, dict):
            return {self.text(str(key)): self.value(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(item) for item in value]
        return value

    def file(self, file: IO[bytes]) -> bool:
        """Cover the secrets in a file, each by as many asterisks as it has bytes. Return whether there was one."""
        if not self._bytes:
            return False
        found, at = False, 0
        file.seek(0)
        while window := file.read(_WINDOW + self._overlap):
            covered = self._window(window)
            if covered != window:
                found = True
                file.seek(at)
                file.write(covered)
            at += _WINDOW
            file.seek(at)
        file.seek(0, 2)
        return found

    def _window(self, window: bytes) -> bytes:
        for form in self._bytes:
            window = window.replace(form, b"*" * len(form))
        if not self._escape_bytes.search(window) or not self._held(window):
            return window
        return b"".join(map(self._line, window.splitlines(keepends=True)))

    def _held(self, escaped: bytes) -> list[bytes]:
        """The forms that are in the text once its escapes are read."""
        plain = _unescaped(escaped, self._escape_bytes, lambda match: _letter(match).encode())
        return [form for form in self._bytes if form in plain]

    def _line(self, line: bytes) -> bytes:
        for form in self._held(line):
            line = re.sub(_octets(_escaped(form.decode("utf-8", "surrogatepass"))), _asterisks, line)
        return line


def _ways(forms: Iterable[str]) -> str:
    """A pattern for an escape that may stand for a character of these forms.

    Each kind of escape begins with another character, so that a search is quick, and the repetitions are bounded, as
    text from outside is searched. A quote after a backslash is in every answer, so it counts only if a secret has one.
    """
    marks = "".join(
        sorted({re.escape(each) for form in forms for each in form if each.isascii() and not each.isalnum()})
    )
    itself = f"([{marks}])" if marks else "((?!))"
    return (
        rf"\\\\{{0,7}}(?:u00([2-7][0-9A-Fa-f])|x([2-7][0-9A-Fa-f])|{itself})|%(?:25){{0,3}}([2-7][0-9A-Fa-f])"
        r"|&#(?:0{0,4}(\d{2,3})|[xX]0{0,4}([0-9A-Fa-f]{2}));"
    )


_MAX_NESTED = 4


def _unescaped(text: AnyStr, escape: re.Pattern[AnyStr], letter: Callable[[re.Match[AnyStr]], AnyStr]) -> AnyStr:
    """The text with its escapes read, also escapes of escapes."""
    for _ in range(_MAX_NESTED):
        before, text = text, escape.sub(letter, text)
        if before == text:
            break
    return text


def _letter(match: re.Match[Any]) -> str:
    unicode, octet, itself, percent, decimal, hexadecimal = match.groups()
    code = unicode or octet or percent or hexadecimal
    if code is not None:
        return chr(int(code, 16))
    if decimal is not None:
        return chr(min(int(decimal), 0x7F))
    return itself if isinstance(itself, str) else str(itself, "ascii")


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _asterisks(match: re.Match[bytes]) -> bytes:
    return b"*" * len(match[0])


def _forms(secrets: Iterable[str]) -> list[str]:
    """The secrets and their base64, at each of the three places where one may begin in it; the longest first."""
    forms: dict[str, None] = {}
    for secret in secrets:
        forms[secret] = None
        raw = secret.encode("utf-8", "surrogatepass")
        for before in range(3):
            encoded = base64.b64encode(bytes(before) + raw).decode()
            # The first and the last character may hold bits of the text beside the secret.
            inner = encoded[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6]
            if len(inner) >= _MIN_BASE64:
                forms[inner] = None
                forms[inner.replace("+", "-").replace("/", "_")] = None
    return sorted(forms, key=len, reverse=True)


@cache
def _escaped(form: str) -> str:
    return "".join(_character(each) for each in form)


def _character(character: str) -> str:
    """A pattern for a character in each way to write it. The repetitions are bounded: text from outside is searched."""
    code = ord(character)
    octets = "".join(f"%(?:25){{0,3}}{_hex(f'{each:02x}')}" for each in character.encode("utf-8", "surrogatepass"))
    ways = [re.escape(character), octets, f"&#(?:0{{0,4}}{code}|[xX]0{{0,4}}{_hex(f'{code:x}')});"]
    if code < 0x10000:
        ways.append(rf"\\{{1,8}}u{_hex(f'{code:04x}')}")
    if code < 0x80:
        ways.append(rf"\\{{1,8}}x{_hex(f'{code:02x}')}")
    if not character.isalnum():
        ways.append(rf"\\{{1,8}}{re.escape(character)}")
    return f"(?:{'|'.join(ways)})"


def _hex(digits: str) -> str:
    return "".join(f"[{each}{each.upper()}]" if each.isalpha() else each for each in digits)


_known: dict[str, None] = {}
_cover: list[Cover] = []


def remember(secret: str) -> None:
    """Cover this secret from now on. One that it replaces stays covered: the service may still write it."""
    if secret not in _known:
        _known.update(dict.fromkeys([secret, *_pieces(secret)]))
        _cover.clear()


def _pieces(secret: str) -> Iterator[str]:
    """The parts of a header such as `Bearer KEY`, `Basic …`, `session=KEY; path=/` that may be repeated alone."""
    for piece in re.split(r"[\s;,=]+", secret):
        if len(piece) >= _MIN_IN_ANSWERS and not piece.isalpha():
            yield piece
    if secret.startswith("Basic "):
        with suppress(ValueError):
            yield base64.b64decode(secret[6:].strip() + "==").decode().partition(":")[2]


def known() -> Cover:
    """Return the Cover of all secrets that this process has read."""
    if not _cover:
        _cover.append(Cover(_known))
    return _cover[0]


def covered(value: T) -> T:
    """Text, or another JSON value, without the secrets that this process has read."""
    cleaned: T = known().value(value)
    return cleaned
