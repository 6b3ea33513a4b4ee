"""Secrets that were read are covered in each form in which text from outside may repeat them."""

from __future__ import annotations

import base64
import html
import io
import json
import time
from urllib.parse import quote

import pytest

from batchd import Secret, covered
from batchd.secrets.known import Cover

pytestmark = pytest.mark.field("hostile services")

KEY = "sk-live/7Hq+93b_Zt0pLx4="
INSIDE = "7Hq+93b_Zt0pLx4"


def twice_quoted(text: str) -> str:
    return quote(quote(text, safe=""), safe="")


FORMS = {
    "plain": KEY,
    "json": json.dumps(KEY),
    "slashes": KEY.replace("/", "\\/"),
    "unicode": "".join(f"\\u{ord(each):04x}" for each in KEY),
    "unicode, upper case": "".join(f"\\u{ord(each):04X}" for each in KEY),
    "some letters": KEY.replace("q", "\\u0071"),
    "json in json": json.dumps(json.dumps("".join(f"\\u{ord(each):04x}" for each in KEY))),
    "url": quote(KEY, safe=""),
    "url, lower case": quote(KEY, safe="").replace("%2F", "%2f").replace("%2B", "%2b"),
    "url, each letter": "".join(f"%{ord(each):02X}" for each in KEY),
    "url twice": twice_quoted(KEY),
    "hex escapes": "".join(f"\\x{ord(each):02x}" for each in KEY),
    "html": "".join(f"&#{ord(each)};" for each in KEY),
    "html, named": html.escape(KEY),
    "base64": base64.b64encode(KEY.encode()).decode(),
    "base64 of a header": base64.b64encode(f"user:{KEY}".encode()).decode(),
    "base64, one further": base64.b64encode(f"{KEY}!".encode()).decode(),
    "base64, two further": base64.b64encode(f"ab{KEY}cd".encode()).decode(),
    "base64 for urls": base64.urlsafe_b64encode(f"a{KEY}".encode()).decode(),
    "base64 in a url": quote(base64.b64encode(KEY.encode()).decode(), safe=""),
}


def leaks(text: str) -> bool:
    """Whether a reader can get at the key."""
    decoded = text
    for _ in range(4):
        if INSIDE in decoded or KEY[:12] in decoded:
            return True
        decoded = decoded.encode("utf-8", "replace").decode("unicode_escape", "replace").replace("\\/", "/")
    core = base64.b64encode(KEY.encode()).decode()[4:-8]
    return core in text


@pytest.mark.parametrize("name", FORMS)
def test_each_form_is_covered_in_text_and_in_files(name: str) -> None:
    cover, text = Cover([KEY]), f'{{"a": "before {FORMS[name]} after"}}\n'
    masked = cover.text(text)
    assert not leaks(masked), masked
    assert masked.startswith('{"a": "before ')
    assert masked.endswith(' after"}\n')
    file = io.BytesIO(text.encode())
    assert cover.file(file)
    assert not leaks(file.getvalue().decode())
    assert len(file.getvalue()) == len(text.encode())


def test_values_are_covered_with_their_keys() -> None:
    value = {"a": [KEY, 1, None, {f"key {KEY}": [f"x{KEY}"]}]}
    assert INSIDE not in json.dumps(Cover([KEY]).value(value))
    assert Cover([KEY]).value(value)["a"][1:3] == [1, None]


def test_a_file_without_them_stays_as_it_is() -> None:
    lines = "".join(f'{{"text": "50% of \\u003cb\\u003e, \\u00e4, C:\\\\temp, \\"{n}\\""}}\n' for n in range(50_000))
    file = io.BytesIO(lines.encode())
    assert not Cover([KEY]).file(file)
    assert file.getvalue() == lines.encode()


def test_one_between_two_windows_is_covered() -> None:
    size = 1 << 20
    for before in (size - 30, size - 10, size - 1, size, 2 * size - 7):
        file = io.BytesIO(b"x" * before + KEY.encode() + b"y" * 100)
        assert Cover([KEY]).file(file)
        assert INSIDE.encode() not in file.getvalue()


def test_words_for_services_without_a_key_stay_in_answers() -> None:
    file = io.BytesIO(b"Use ollama, or none.")
    assert not Cover(["none", "ollama", "x"]).file(file)
    assert Cover(["x", "none"]).text("none of x") == "none of x"


@pytest.mark.parametrize("text", ["\\" * 200_000, "%25" * 100_000, "&#0" * 100_000, "x" * 500_000, "%" * 300_000])
def test_long_text_takes_no_time(text: str) -> None:
    before = time.process_time()
    assert Cover([KEY]).text(text) == text
    assert time.process_time() - before < 2.0


def test_what_is_read_is_covered_from_then_on(tmp_path: object) -> None:
    assert covered("tok-a81b2c3d4e") == "tok-a81b2c3d4e"
    Secret("tok-a81b2c3d4e").reveal()
    assert covered("tok-a81b2c3d4e") == "…"
    Secret("Bearer tok-77cc88dd99").reveal()
    assert covered({"echo": ["tok-77cc88dd99"]}) == {"echo": ["…"]}
    Secret(f"Basic {base64.b64encode(b'user:pass-4711-word').decode()}").reveal()
    assert covered("pass-4711-word") == "…"
