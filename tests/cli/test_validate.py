"""`batchd validate`: what it prints, what it writes, and the status it ends with."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from batchd.cli import validate as command
from batchd.model import Limits
from batchd.requests.file import RequestFile

from .cli_kit import environment, here, process
from .test_start import imported_by

CHAT = "/v1/chat/completions"


def request(name: Any, **changes: Any) -> str:
    body = {"model": "small", "messages": [{"role": "user", "content": "Hi"}]}
    return json.dumps({"custom_id": name, "method": "POST", "url": CHAT, "body": body, **changes})


def write(*lines: str, name: str = "may.jsonl") -> Path:
    path = Path(name).absolute()
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def test_a_good_file(tmp_path: Path) -> None:
    write(request("a"), request("b"))
    said = here("validate", "may.jsonl")
    size = (tmp_path / "may.jsonl").stat().st_size
    assert (said.status, said.err) == (0, "")
    assert said.out == f"may.jsonl is fine: 2 requests to small at {CHAT}, 2 lines, {size} bytes.\n"


def test_bad_lines_by_number_and_reason(tmp_path: Path) -> None:
    write(request("a"), "{oops", request("a"), request("b", method="GET", url="/x"))
    said = here("validate", "may.jsonl")
    assert (said.status, said.err) == (1, "")
    lines = said.out.splitlines()
    assert lines[0].startswith("may.jsonl: 3 bad lines, 1 good, of 4 lines, ")
    assert [re.sub(r": .* \[", " [", line) for line in lines[1:5]] == [
        "  line 2 [invalid_json_line]",
        "  line 3 [duplicate_custom_id]",
        "  line 4 [invalid_method]",
        "  line 4 [invalid_url]",
    ]
    assert "in line 1. Both lines are the same" in lines[2]
    assert lines[6] == "By reason:"
    assert {tuple(line.split()) for line in lines[7:]} == {
        ("1", "invalid_json_line"),
        ("1", "duplicate_custom_id"),
        ("1", "invalid_method"),
        ("1", "invalid_url"),
    }


def test_in_a_pipe_every_bad_line_is_told(tmp_path: Path) -> None:
    write(request("a"), *["{oops"] * 1_025)
    said = here("validate", "may.jsonl")
    assert said.out.count("\n  line ") == 1_025
    assert "more bad line" not in said.out
    assert "     1,025  invalid_json_line\n" in said.out


def test_on_a_terminal_the_first_so_many_are_shown_and_all_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    file = write(request("a"), *["{oops"] * (command.SHOWN + 1_005))
    with RequestFile(file, Limits()) as looked:
        looked.look()
        lines = list(command.lines(file, looked))
    assert sum(line.startswith("  line ") for line in lines) == command.SHOWN
    assert "  … and 1,005 more bad lines. --json lists all." in lines
    assert "      1,025  invalid_json_line" in lines


def test_for_machines_there_are_all_a_line_each_and_the_sum_at_the_end(tmp_path: Path) -> None:
    write(request("a"), *["{oops"] * 100, request("a", body={}), "", request("a"))
    said = here("validate", "--json", "may.jsonl")
    assert said.status == 1
    *records, last = map(json.loads, said.out.splitlines())
    assert [record["line"] for record in records] == [*range(2, 102), 102, 102, 103, 104]
    assert records[100] == {
        "line": 102,
        "code": "missing_required_parameter",
        "param": "body.model",
        "message": "body.model is missing. Write the name of the model.",
    }
    summary = last["summary"]
    assert (summary["ok"], summary["exit_status"], summary["file"]) == (False, 1, "may.jsonl")
    assert summary["lines"] == {"total": 104, "good": 1, "bad": 103}
    assert summary["faults"] == {"invalid_json_line": 101, "missing_required_parameter": 2, "duplicate_custom_id": 1}
    assert summary["limits"] == {"max_requests": 50_000, "max_bytes": 95_000_000, "max_line_bytes": 1_000_000}
    assert (summary["model"], summary["url"], summary["repair"]) == ("small", CHAT, None)


def test_what_is_no_fault_is_a_note_and_the_status_is_0(tmp_path: Path) -> None:
    (tmp_path / "may.txt").write_bytes(request("a").encode() + b"\r\n")
    said = here("validate", "may.txt")
    assert said.status == 0
    assert "Note: CR LF at the end, as on Windows: 1 line. " in said.out
    assert "Note: Services take only files whose names end in .jsonl." in said.out


def test_what_can_be_saved_is_written_and_what_was_changed_is_said(tmp_path: Path) -> None:
    (tmp_path / "may.jsonl").write_bytes(
        b"\xef\xbb\xbf" + "\r\n".join([request("a"), request("a"), "", "{oops", request("b"), ""]).encode()
    )
    said = here("validate", "may.jsonl", "--repair", "fixed.jsonl")
    assert said.status == 1
    fixed = tmp_path / "fixed.jsonl"
    assert fixed.read_text() == f"{request('a')}\n{request('b')}\n"
    assert said.out.partition("\n\nWrote ")[2].splitlines() == [
        f"fixed.jsonl: 2 requests, {fixed.stat().st_size} bytes.",
        "  Removed a byte order mark: 1 line (1).",
        "  Ended with LF in place of CR LF: 2 lines (1 and 5).",
        "  Removed: the same as an earlier line: 1 line (2).",
        "  Removed: the line was blank: 1 line (3).",
        "  Left out: 1 line (4). [invalid_json_line]",
    ]
    assert here("validate", "fixed.jsonl").status == 0


def test_of_many_lines_the_first_few_are_named(tmp_path: Path) -> None:
    write(request("a"), *[""] * 50)
    said = here("validate", "may.jsonl", "--repair", "fixed.jsonl")
    assert "Removed: the line was blank: 50 lines (2, 3, 4, " in said.out
    assert ", 21, …)." in said.out


def test_parts_and_new_names(tmp_path: Path) -> None:
    other = request("a", note=1)
    write(request("a"), other, request("b"))
    said = here("validate", "may.jsonl", "--repair", "out.jsonl", "--split", "2", "--rename-duplicates", "--json")
    assert said.status == 1
    repair = json.loads(said.out.splitlines()[-1])["summary"]["repair"]
    assert [(each["path"], each["requests"]) for each in repair["written"]] == [
        ("out.part-001.jsonl", 2),
        ("out.part-002.jsonl", 1),
    ]
    assert (repair["changed"], repair["left_out"]) == ({"renamed": 1}, {})
    lines = (tmp_path / "out.part-001.jsonl").read_text().splitlines()
    assert [json.loads(line)["custom_id"] for line in lines] == ["a", "a-line2"]


def test_a_good_file_can_be_split_and_stays_fine(tmp_path: Path) -> None:
    write(*map(request, "abc"))
    said = here("validate", "may.jsonl", "--repair", "out.jsonl", "--split", "2")
    assert said.status == 0
    assert "Nothing had to be changed." in said.out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["gone.jsonl"], "does not exist"),
        (["."], "is a directory"),
        (["may.jsonl", "--split", "2"], "--split needs a place for what it writes: --repair OUT"),
        (["may.jsonl", "--rename-duplicates"], "--rename-duplicates needs a place"),
        (["may.jsonl", "--repair", "out.jsonl", "--split", "0"], "--split"),
        (["may.jsonl", "--repair", "out.txt"], "ends in .jsonl"),
        (["may.jsonl", "--repair", "gone/out.jsonl"], "There is no folder gone"),
        (["may.jsonl", "--repair", "may.jsonl"], "exists already"),
        (["may.jsonl", "--repair", "there.jsonl"], "exists already"),
        (["may.jsonl", "--repair", "parts.jsonl"], "parts.part-002.jsonl exists already"),
        (["/dev/null"], "not a plain file"),
    ],
)
def test_wrong_use_says_so_and_writes_nothing(tmp_path: Path, arguments: list[str], says: str) -> None:
    write(request("a"))
    write("theirs", name="there.jsonl")
    write("theirs", name="parts.part-002.jsonl")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    said = here("validate", *arguments)
    assert said.status == 2
    assert says in said.err
    assert "Traceback" not in said.err
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_folder_that_cannot_be_written_to() -> None:
    write(request("a"))
    said = here("validate", "may.jsonl", "--repair", "/proc/out.jsonl")
    assert said.status == 5
    assert "/proc/" in said.err
    assert "Traceback" not in said.err


def test_an_endpoint_can_be_allowed() -> None:
    write(request("a", url="/v1/chat/ds-test"))
    assert here("validate", "may.jsonl").status == 1
    assert here("validate", "may.jsonl", "--endpoint", "/v1/other", "--endpoint", "/v1/chat/ds-test").status == 0


CONFIG = """
plugin_dir = "plugins.d"

[providers.tight]
plugin = "openai"
api_key = "env:NO_SUCH_KEY"
max_requests = 2
max_bytes = 1_000

[providers.own]
plugin = "own"
max_bytes = 2_000
"""
OWN = """
from batchd import BatchProvider, Limits, hookimpl

class Own(BatchProvider):
    limits = Limits(max_requests=1, max_line_bytes=500)
    async def submit(self, submission): ...
    async def poll(self, batch): ...
    async def results(self, batch): yield

@hookimpl
def register_providers(register):
    register("own", Own)
"""


@pytest.mark.slow
def test_the_limits_can_be_those_of_a_provider(tmp_path: Path) -> None:
    (tmp_path / "plugins.d").mkdir()
    (tmp_path / "plugins.d" / "own.py").write_text(OWN)
    (tmp_path / "config.toml").write_text(CONFIG)
    write(*map(request, "abc"))
    assert here("validate", "may.jsonl").status == 0

    said = here("validate", "may.jsonl", "--provider", "tight", "--repair", "out.jsonl", "--json")
    assert said.status == 1
    summary = json.loads(said.out)["summary"]
    assert summary["limits"] == {"max_requests": 2, "max_bytes": 1_000, "max_line_bytes": 30_000_000}
    assert [fault["code"] for fault in summary["file_faults"]] == ["too_many_tasks"]
    assert [each["requests"] for each in summary["repair"]["written"]] == [2, 1]

    # What the operator does not say is as the plugin has it.
    summary = json.loads(here("validate", "may.jsonl", "--provider", "own", "--json").out)["summary"]
    assert summary["limits"] == {"max_requests": 1, "max_bytes": 2_000, "max_line_bytes": 500}


@pytest.mark.parametrize(
    ("config", "provider", "says"),
    [
        (None, "x", "There is no configuration"),
        (CONFIG.replace("plugin_dir", "# "), "tigth", 'did you mean "tight"?'),
        (CONFIG.replace("plugin_dir", "# ").replace("2\n", "-2\n"), "tight", "max_requests"),
        (CONFIG.replace("plugin_dir", "# "), "own", 'no provider "own"'),
        ("[", "x", "config.toml"),
    ],
)
def test_a_provider_that_is_not_there_or_wrong(tmp_path: Path, config: str | None, provider: str, says: str) -> None:
    write(request("a"))
    if config is not None:
        (tmp_path / "config.toml").write_text(config)
    said = here("validate", "may.jsonl", "--provider", provider)
    assert (said.status, said.out) == (4, "")
    assert says in said.err
    assert "Traceback" not in said.err


def test_a_broken_config_that_nobody_asked_for_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[")
    write(request("a"))
    assert here("validate", "may.jsonl").status == 0


def test_control_characters_of_a_file_do_not_reach_the_terminal() -> None:
    write(request("\x1b[31mred\x07"), request("\x1b[31mred\x07"))
    said = here("validate", "may.jsonl")
    assert "\x1b" not in said.out
    assert "\\x1b[31mred\\x07" in said.out


def test_it_imports_neither_openai_nor_pydantic_nor_any_plugin(tmp_path: Path) -> None:
    write(request("a"))
    packages = {name.partition(".")[0] for name in imported_by(tmp_path, "validate", "may.jsonl")}
    assert "msgspec" in packages
    plugins = {"batchd_anthropic", "batchd_files", "batchd_inline", "batchd_openai", "batchd_prompts", "batchd_sandbox"}
    assert packages.isdisjoint({"openai", "pydantic", "rich", "asyncio", "pluggy", "jinja2", "aiosqlite", *plugins})


@pytest.mark.slow
def test_killed_at_any_instant_it_has_written_all_or_nothing(tmp_path: Path) -> None:
    line = request("a", body={"model": "small", "messages": [{"role": "user", "content": "x" * 400_000}]})
    write(*(line.replace('"a"', f'"{number}"') for number in range(100)))
    whole = (tmp_path / "may.jsonl").read_bytes()
    out, draft = tmp_path / "out.jsonl", tmp_path / ".out.jsonl.draft"
    arguments = [sys.executable, "-m", "batchd", "validate", "may.jsonl", "--repair", "out.jsonl"]
    caught = 0
    # When it begins to write, in the middle of it, and the moment that anything can be seen.
    moments = (draft.exists, lambda: size_of(draft) > len(whole) // 2, out.exists)
    for moment in moments:
        running = subprocess.Popen(arguments, cwd=tmp_path, env=environment(), stdout=subprocess.DEVNULL)
        while running.poll() is None and not moment():
            time.sleep(0.001)
        running.kill()
        running.wait()
        caught += draft.exists()
        assert not out.exists() or out.read_bytes() == whole
        out.unlink(missing_ok=True)
    assert caught, "it was never killed while it wrote"
    assert process("validate", "may.jsonl", "--repair", "out.jsonl", cwd=tmp_path).status == 0
    assert out.read_bytes() == whole
    assert not draft.exists()


def size_of(folder: Path) -> int:
    """Bytes of what is in it by now."""
    try:
        return sum(each.stat().st_size for each in folder.iterdir())
    except FileNotFoundError:
        return 0


@pytest.mark.slow
def test_with_a_provider_it_imports_its_plugin_and_not_openai(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(CONFIG.replace("plugin_dir", "# "))
    write(request("a"))
    modules = imported_by(tmp_path, "validate", "may.jsonl", "--provider", "tight")
    assert "batchd_openai.provider" in modules
    assert "openai" not in modules


@pytest.mark.slow
def test_on_a_terminal_a_large_file_shows_how_far_it_is(tmp_path: Path) -> None:
    line = request("a", body={"model": "small", "messages": [{"role": "user", "content": "x" * 900_000}]})
    write(*(line.replace('"a"', f'"{number}"') for number in range(command.LARGE // len(line) + 1)))
    ours, theirs = pty.openpty()
    arguments = [sys.executable, "-m", "batchd", "validate", "may.jsonl", "--repair", "out.jsonl"]
    with subprocess.Popen(
        arguments, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=theirs, text=True
    ) as running:
        os.close(theirs)
        assert running.stdout is not None
        out = running.stdout.read()
        shown = b""
        try:
            while more := os.read(ours, 65_536):
                shown += more
        except OSError:
            pass  # how a terminal ends whose last writer is gone
        os.close(ours)
    assert running.returncode == 0
    assert re.search(rb"Looking through it .*100%", shown)
    assert re.search(rb"Writing .*100%", shown)
    assert "is fine: 23 requests" in out
    small = process("validate", "may.jsonl", cwd=tmp_path)
    assert small.err == ""
