"""The log: for people, for machines, for the journal; without secrets and without tracebacks."""

from __future__ import annotations

import errno
import io
import json
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchd.errors import RejectedError
from batchd.events import JobAccepted, JobFailed
from batchd.system.event_logger import EventLogger
from batchd.system.logs import mask, set_up

OURS = logging.getLogger("batchd.engine.test")
THEIRS = logging.getLogger("aiohttp.access")
MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ")


@pytest.fixture(autouse=True)
def root() -> Iterator[logging.Logger]:
    """The root logger, put back as it was."""
    logger = logging.getLogger()
    handlers, level = logger.handlers[:], logger.level
    logger.handlers = []
    yield logger
    logger.handlers = handlers
    logger.setLevel(level)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def log(level: str = "info", form: Any = "text") -> io.StringIO:
    """A stream that the log goes to from now on."""
    stream = io.StringIO()
    set_up(level, form, stream=stream, environment={})
    return stream


def logged(stream: io.StringIO) -> list[str]:
    """The lines, with the time taken off."""
    return [MOMENT.sub("", line) for line in stream.getvalue().splitlines()]


# --- For people --------------------------------------------------------------------------------------------------


def test_a_line_says_when_how_bad_whose_and_what() -> None:
    stream = log()
    OURS.info("Took %s.", "may.csv", extra={"action": "JobClaimed", "job": "k3j9x2ab", "batch": None})
    OURS.warning("Slow.", extra={"action": "slow", "job": "k3j9x2ab", "batch": "b1"})
    OURS.error("Broken.")
    OURS.debug("Not shown.")
    assert MOMENT.match(stream.getvalue())
    assert logged(stream) == [
        "info    [k3j9x2ab] Took may.csv.",
        "warning [k3j9x2ab b1] Slow.",
        "error   Broken.",
    ]


@pytest.mark.parametrize(
    ("stream", "environment", "coloured"),
    [
        (Terminal(), {}, True),
        (Terminal(), {"NO_COLOR": ""}, True),
        (Terminal(), {"NO_COLOR": "1"}, False),
        (Terminal(), {"TERM": "dumb"}, False),
        (io.StringIO(), {}, False),
    ],
)
def test_colour_only_where_it_is_wanted(stream: io.StringIO, environment: dict[str, str], coloured: bool) -> None:
    set_up(stream=stream, environment=environment)
    OURS.warning("x")
    assert ("\x1b[33mwarning\x1b[0m" in stream.getvalue()) is coloured
    assert ("\x1b" in stream.getvalue()) is coloured


def test_names_of_strangers_cannot_forge_lines_or_drive_the_terminal() -> None:
    stream = log()
    OURS.info("Took %s.", "a\x1b[2J\x07\r\n2026-01-01 00:00:00 error   forged\u202e\x9b.csv")
    first, second = stream.getvalue().splitlines()
    assert first.endswith("Took a\\x1b[2J\\x07\\r")
    assert second == "    2026-01-01 00:00:00 error   forged\\u202e\\x9b.csv."


def test_the_level_can_be_chosen() -> None:
    stream = log("error")
    OURS.warning("no")
    OURS.error("yes")
    assert logged(stream) == ["error   yes"]


@pytest.mark.parametrize(("level", "shown"), [("info", ["WARNING"]), ("debug", ["INFO", "WARNING"]), ("error", [])])
def test_other_libraries_are_heard_only_when_it_matters(level: str, shown: list[str]) -> None:
    stream = log(level)
    for name in ("DEBUG", "INFO", "WARNING"):
        THEIRS.log(logging.getLevelNamesMapping()[name], "%s", name)
    assert [line.split()[-1] for line in logged(stream)] == shown


def test_a_log_on_a_full_disk_is_no_reason_to_show_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    class Full(io.StringIO):
        def write(self, _: str) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    set_up("info", stream=Full(), environment={})
    OURS.info("Took may.csv.")
    assert capsys.readouterr().err == ""


def test_set_up_again_it_replaces_and_does_not_double(root: logging.Logger) -> None:
    first, second = io.StringIO(), io.StringIO()
    set_up(stream=first, environment={})
    set_up(stream=second, environment={})
    OURS.info("once")
    assert (first.getvalue(), len(logged(second)), len(root.handlers)) == ("", 1, 1)


# --- What was raised ---------------------------------------------------------------------------------------------


def raise_and_log(error: Exception) -> None:
    try:
        raise error
    except Exception:
        OURS.exception("The outbox cannot be written.", extra={"action": "deliver", "job": "j1"})


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_traceback_at_the_default_level(form: Any) -> None:
    stream = log("info", form)
    raise_and_log(OSError(28, "No space left\n on device"))
    (line,) = stream.getvalue().splitlines()
    assert "The outbox cannot be written. OSError: [Errno 28] No space left on device. " in line
    assert "For the traceback, start with --log-level debug." in line
    assert "Traceback" not in line
    assert "test_logs.py" not in line


def test_an_error_of_ours_is_a_sentence_already() -> None:
    stream = log()
    raise_and_log(RejectedError("The key is refused."))
    assert logged(stream) == ["error   [j1] The outbox cannot be written. The key is refused."]


def test_an_error_without_words() -> None:
    stream = log()
    raise_and_log(ValueError())
    assert "The outbox cannot be written. ValueError: no reason given. For the traceback" in stream.getvalue()


def test_the_traceback_is_there_at_debug() -> None:
    stream = log("debug")
    raise_and_log(ValueError("Bearer abcdefghijkl"))
    lines = stream.getvalue().splitlines()
    assert lines[1] == "    Traceback (most recent call last):"
    assert lines[-1] == "    ValueError: Bearer …"
    assert "--log-level" not in lines[0]


def test_a_stack_that_was_asked_for_is_shown_at_debug_only() -> None:
    for level, shown in (("debug", True), ("info", False)):
        stream = log(level)
        OURS.info("here", stack_info=True)
        assert ("Stack (most recent call last)" in stream.getvalue()) is shown


# --- For machines ------------------------------------------------------------------------------------------------


def test_json_is_one_object_a_line_with_what_the_record_carries() -> None:
    stream = log("info", "json")
    OURS.info(
        "Łódź\ntaken", extra={"action": "JobClaimed", "job": "j1", "size": 3, "path": Path("/x"), "by": "sk-0123456789"}
    )
    entry = json.loads(stream.getvalue())
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", entry.pop("time"))
    assert entry == {
        "level": "info",
        "action": "JobClaimed",
        "job": "j1",
        "message": "Łódź\ntaken",
        "logger": "batchd.engine.test",
        "size": 3,
        "path": "/x",
        "by": "sk-…",
    }
    assert stream.getvalue().count("\n") == 1


def test_every_record_has_an_action() -> None:
    stream = log("info", "json")
    OURS.info("x")
    THEIRS.warning("x")
    assert [json.loads(line)["action"] for line in stream.getvalue().splitlines()] == ["batchd", "aiohttp"]


def test_the_traceback_in_json() -> None:
    stream = log("debug", "json")
    raise_and_log(ValueError("x"))
    assert json.loads(stream.getvalue())["traceback"].startswith("Traceback (most recent call last):\n")


def test_an_event_is_logged_by_its_sentence_and_kind() -> None:
    stream = log("info", "json")
    events = EventLogger(OURS)
    events.log(JobAccepted(job="j1", source="100%s.csv", rows=1, parts=1, sha256="x"))
    events.log(JobFailed(job="j2", reason="no disk"))
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert (first["level"], first["action"], first["job"]) == ("info", "JobAccepted", "j1")
    assert first["message"] == "100%s.csv has 1 row."
    assert (second["level"], second["action"]) == ("error", "JobFailed")


# --- For the journal ---------------------------------------------------------------------------------------------


def test_the_journal_gets_priorities_and_no_time(tmp_path: Path) -> None:
    with (tmp_path / "journal").open("w+") as stream:
        status = os.fstat(stream.fileno())
        set_up("debug", stream=stream, environment={"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"})
        for level in ("debug", "info", "warning", "error", "critical"):
            getattr(OURS, level)(level, extra={"job": "j1"})
        OURS.warning("two\n<0>lines")
        stream.seek(0)
        assert stream.read().splitlines() == [
            "<7>[j1] debug",
            "<6>[j1] info",
            "<4>[j1] warning",
            "<3>[j1] error",
            "<2>[j1] critical",
            "<4>two",
            "<4>    <0>lines",
        ]


def test_a_stream_that_was_redirected_is_not_the_journal(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w+") as stream:
        set_up(stream=stream, environment={"JOURNAL_STREAM": "8:1"})
        OURS.info("x")
        stream.seek(0)
        assert MOMENT.match(stream.read())


# --- Secrets -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("key sk-proj-abc_DEF-123456789 refused", "key sk-… refused"),
        ("Incorrect API key provided: sk-abcd***********wxyz.", "Incorrect API key provided: sk-…"),
        ("{'Authorization': 'Bearer abc.def-123'}", "{'Authorization': 'Bearer …'}"),
        ("authorization: Basic dXNlcjpwYXNz", "authorization: Basic …"),
        ('"api_key": "0123456789"', '"api_key": "…"'),
        ("api_key=0123456789&x=1", "api_key=…&x=1"),
        ("x-api-key: 0123456789", "x-api-key: …"),
        ("password = hunter22", "password = …"),
        ("postgres://ada:hunter22@db/x", "postgres://ada:…@db/x"),
        ("GET /v1?key=AbCdEf123&alt=json", "GET /v1?key=…&alt=json"),
        ("AIzaSyA-1234567890abcdefgh", "AIza…"),
        # Not secrets.
        ('api_key = "env:HOLYSHEEP_API_KEY"', 'api_key = "env:HOLYSHEEP_API_KEY"'),
        ("api_key: file:/run/key", "api_key: file:/run/key"),
        ("used 12345 tokens, max_tokens = 50000", "used 12345 tokens, max_tokens = 50000"),
        ("task-force-of-twenty and disk-image-builder", "task-force-of-twenty and disk-image-builder"),
        ("The bearer of the file", "The bearer of the file"),
        ("https://example.org/a:b@c", "https://example.org/a:b@c"),
        ("", ""),
    ],
)  # fmt: skip
def test_what_looks_like_a_secret_is_covered(text: str, masked: str) -> None:
    assert mask(text) == masked


@given(st.text(st.sampled_from("ab-_:=\"' sk-Bearer&?key@/…"), max_size=60))
def test_masking_twice_is_masking_once(text: str) -> None:
    assert mask(mask(text)) == mask(text)


@given(
    st.text(st.sampled_from("abcdefgh0123456789_-"), min_size=8, max_size=40),
    st.sampled_from(["sk-{}", "Bearer {}", "api_key={}", '"password": "{}"', "https://u:{}@h/"]),
    st.text(max_size=10).filter(lambda text: text[-1:].isspace() or not text),
    st.sampled_from(["", " ", ".", ",", "\n", "\x00", "…", "ü", ") rest", '"}']),
)
def test_the_secret_is_gone_whatever_stands_around_it(secret: str, form: str, before: str, after: str) -> None:
    stream = log("info", "json")
    OURS.info("%s", f"{before}{form.format(secret)}{after}", extra={"job": "j"})
    assert secret not in json.loads(stream.getvalue())["message"]
