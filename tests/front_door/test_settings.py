"""Durations as people write them; secrets that never show."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import pytest
from pydantic import ValidationError

from batchd import Duration, RejectedError, Secret, Settings
from batchd.settings import seconds

KEY = "sk-very-secret-1234"


class Shop(Settings):
    """A provider's table."""

    api_key: Secret
    timeout: Duration = 10.0
    retries: int = 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("500ms", 0.5),
        ("2s", 2),
        ("10m", 600),
        ("6h", 21_600),
        ("30d", 2_592_000),
        ("1.5h", 5_400),
        (" 2 s ", 2),
        ("0s", 0),
        (5, 5),
        (0.25, 0.25),
        (0, 0),
    ],
)
def test_a_duration(text: str | float, expected: float) -> None:
    assert seconds(text) == expected
    assert Shop(api_key="env:X", timeout=text).timeout == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text", ["", "2", "2 seconds", "s", "-2s", "2s3", "1m30s", "2S", "1e3s", "½h", None, True, [2], -1, float("nan")]
)
def test_no_duration(text: object) -> None:
    with pytest.raises(ValueError):
        seconds(text)  # type: ignore[arg-type]
    with pytest.raises(ValidationError):
        Shop(api_key="env:X", timeout=text)  # type: ignore[arg-type]


def test_a_duration_can_be_made_in_a_program() -> None:
    class Shorter(Settings):
        timeout: Duration = Duration("30s")

    assert (Duration("500ms"), type(Duration("2s")), Shorter().timeout) == (0.5, float, 30.0)
    with pytest.raises(ValueError, match="not a duration"):
        Duration("soon")


@pytest.mark.parametrize("text", ["", "2", "2 seconds", "1m30s", None, True])
def test_the_message_shows_how_to_write_one(text: object) -> None:
    with pytest.raises(ValueError, match='"500ms", "2s", "10m", "6h" or "30d"'):
        seconds(text)  # type: ignore[arg-type]


# --- Secret ----------------------------------------------------------------------------------------------------


def test_a_secret_is_read_each_time_it_is_needed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    secret = Secret("env:SHOP_KEY")
    monkeypatch.setenv("SHOP_KEY", "one")
    assert secret.reveal() == "one"
    monkeypatch.setenv("SHOP_KEY", "two")
    assert secret.reveal() == "two"
    kept = tmp_path / "key"
    secret = Secret(f"file:{kept}")
    for key in ("three", "four"):
        kept.write_text(f"{key}\n")
        assert secret.reveal() == key


def test_a_systemd_credential(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "shop").write_text(KEY)
    assert Secret("credential:shop").reveal() == KEY


def test_a_file_in_the_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "key").write_text(KEY)
    assert Secret("file:~/key").reveal() == KEY


@pytest.mark.parametrize(
    ("reference", "told"),
    [
        ("env:NOT_SET_ANYWHERE", "NOT_SET_ANYWHERE is not set"),
        ("env:", "not set"),
        ("file:/nowhere/key", "/nowhere/key: No such file"),
        ("credential:shop", "LoadCredential=shop"),
    ],
)
def test_a_secret_that_is_not_there_says_what_to_do(reference: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(RejectedError, match=told):
        Secret(reference).reveal()


@pytest.mark.parametrize(
    ("content", "told"), [(b"", "is empty"), (b" \n", "is empty"), (b"\xff\xfe", "it is not text")]
)
def test_a_key_file_of_no_use_says_so_without_its_content(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "key").write_bytes(content)
    with pytest.raises(RejectedError, match=told) as caught:
        Secret(f"file:{tmp_path / 'key'}").reveal()
    assert caught.value.__cause__ is None


def shown(secret: Secret) -> list[str]:
    """Everything that a log, a dump or an error message might make of it."""
    shop = Shop(api_key=secret)
    return [
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret!r}",
        "%s" % secret,  # noqa: UP031
        format(secret),
        repr([secret]),
        repr(shop),
        str(shop),
        repr(shop.model_dump()),
        shop.model_dump_json(),
        repr(shop.model_dump(mode="json")),
        repr(vars(shop)),
        repr(copy.deepcopy(shop)),
    ]


def test_a_literal_secret_never_shows() -> None:
    secret = Secret(KEY)
    assert secret.literal
    assert secret.reveal() == KEY
    assert [text for text in shown(secret) if KEY in text] == []


@pytest.mark.parametrize(
    "table",
    [{"api_key": [KEY]}, {"api_kez": KEY}, {"retries": KEY, "api_key": "env:X"}],
    ids=["a list", "a mistyped key", "a wrong key"],
)
def test_an_error_about_a_table_does_not_show_what_stands_in_it(table: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as caught:
        Shop.model_validate(table)
    assert KEY not in f"{caught.value} {caught.value!r}"


@pytest.mark.parametrize("kind", ["env", "file"])
def test_a_secret_that_is_read_from_elsewhere_never_shows_and_where_it_is_does(
    kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SHOP_KEY", KEY)
    (tmp_path / "key").write_text(KEY)
    secret = Secret("env:SHOP_KEY" if kind == "env" else f"file:{tmp_path / 'key'}")
    assert not secret.literal
    assert secret.reveal() == KEY
    assert [text for text in shown(secret) if KEY in text] == []
    assert "SHOP_KEY" in secret.where if kind == "env" else str(tmp_path / "key") in secret.where


@pytest.mark.parametrize("given", ["", "  ", "env:", " file: ", "credential:", None, 5, ["env:X"], {"env": "X"}])
def test_what_is_no_secret_is_refused_with_how_to_write_one(given: object) -> None:
    with pytest.raises(ValidationError, match="env:NAME"):
        Shop(api_key=given)  # type: ignore[arg-type]


def test_secrets_compare_by_where_they_are_from() -> None:
    assert Secret("env:A") == Secret("env:A") != Secret("env:B")
    assert len({Secret("env:A"), Secret("env:A"), Secret("env:B")}) == 2
    assert Secret("env:A") != "env:A"
    assert pickle.loads(pickle.dumps(Secret("env:A"))) == Secret("env:A")


# --- Settings --------------------------------------------------------------------------------------------------


def test_unknown_keys_are_refused_and_settings_do_not_change() -> None:
    with pytest.raises(ValidationError, match="colour"):
        Shop(api_key="env:X", colour="green")  # type: ignore[call-arg, arg-type]
    shop = Shop(api_key="env:X")  # type: ignore[arg-type]
    with pytest.raises(ValidationError):
        shop.retries = 5  # type: ignore[misc]
