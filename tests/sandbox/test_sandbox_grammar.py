"""How faults are written, and that the table, the help and the tests agree."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from batchd_sandbox.command import sandbox as command
from batchd_sandbox.faults.grammar import FaultNotUnderstood, parse
from batchd_sandbox.faults.orders import marker_forms
from batchd_sandbox.faults.table import CALLS, FAULTS, STATUS, table
from batchd_sandbox.settings import duration


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("create:cut", {"operation": "create", "kind": "cut", "count": 1}),
        ("create:cut-after:count=2", {"kind": "cut-after", "count": 2}),
        ("list:404:count=always", {"count": None}),
        ("create:late", {"delay": 2.0}),
        ("create:late:delay=500ms", {"delay": 0.5}),
        ("upload:429", {"retry_after": 1.0}),
        ("upload:429:retry-after=0.5", {"retry_after": 0.5}),
        ("line:429", {"kind": "status", "status": 429, "lines": ((1, 1),), "count": 1}),
        ("line:0:fraction=0.25", {"status": 0, "fraction": 0.25, "lines": ()}),
        ("line:missing:lines=3+8+10-19", {"lines": ((3, 3), (8, 8), (10, 19))}),
        ("line:500:fraction=0.5,lines=1-9", {"fraction": 0.5, "lines": ((1, 9),)}),
        ("batch:expired", {"fraction": 0.5}),
        ("batch:failed:marker=a:b=c", {"marker": "a:b=c", "count": None}),
        ("auth:401", {"count": None}),
        ("auth:401:count=3", {"count": 3}),
        ("all:503", {"count": None}),
        (" chat:400:marker=x ", {"marker": "x", "text": "chat:400:marker=x"}),
    ],
)
def test_orders_that_are_understood(text: str, expected: dict[str, Any]) -> None:
    order = parse(text)
    assert {name: getattr(order, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", 'no operation ""'),
        ("creat:cut", 'did you mean "create"?'),
        ("nonsense:cut", "it is one of all, auth, batch"),
        ("create", "create has no fault"),
        ("create:expired", "it has 400, 401"),
        ("retrieve:late", "retrieve has no fault"),
        ("line:700", "line has no fault"),
        ("line:200", "line has no fault"),
        ("create:cut:count=0", "count is a number from 1"),
        ("create:cut:count=-1", "count is a number from 1"),
        ("create:cut:count", "key=value"),
        ("create:cut:colour=red", "takes count, fraction, marker"),
        ("retrieve:500:marker=x", "takes count, fraction, code"),
        ("create:late:delay=soon", "is not a duration"),
        ("line:500:fraction=2", "from 0 to 1"),
        ("line:500:fraction=some", "fraction=some is not understood"),
        ("line:500:lines=0", "numbers from 1"),
        ("line:500:lines=3,5", "key=value"),
        ("line:500:marker=", "empty"),
        ("batch:no-output:status=200", "400 to 599"),
        ("batch:failed:marker=x,count=2", "stays until it is lifted"),
    ],
)
def test_orders_that_are_not_understood_say_what_is_right(text: str, words: str) -> None:
    with pytest.raises(FaultNotUnderstood) as refused:
        parse(text)
    assert words in str(refused.value)
    assert str(refused.value).startswith(f'"{text}"')


def test_each_fault_of_the_table_can_be_ordered() -> None:
    for fault in FAULTS:
        kind = "500" if fault.kind == STATUS else fault.kind
        for operation in fault.operations:
            assert parse(f"{operation}:{kind}").operation == operation


def test_each_fault_of_the_table_is_ordered_in_a_test() -> None:
    family = Path(__file__).parents[1]
    files = [*family.glob("sandbox/test_*_faults.py"), *family.glob("provider_faults/test_shapes.py")]
    files += [family / "provider_faults" / name for name in ("test_whole_files.py", "test_hostile_memory.py")]
    tests = "".join(path.read_text() for path in files)
    ordered = set(re.findall(r'"([a-z-]+:[a-z0-9-]+)', tests)) | {"line:STATUS"}
    for fault in FAULTS:
        assert any(f"{operation}:{fault.kind}" in ordered for operation in fault.operations), fault.written


def test_the_help_lists_each_fault() -> None:
    # Only names are compared: the help breaks its lines at the width of the terminal.
    shown = CliRunner().invoke(command, ["--help"])
    assert shown.exit_code == 0
    for written, summary in table():
        assert re.search(rf"^ +{re.escape(written)}\b", shown.output, re.MULTILINE), written
        assert " ".join(summary.split()) in " ".join(shown.output.split())
    assert "not from a model" in " ".join(shown.output.split())
    for operation in CALLS:
        assert operation in shown.output


def test_each_option_has_its_environment_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    context = click.Context(command, **command.context_settings)
    for option in command.params:
        monkeypatch.setenv("BATCHD_SANDBOX_" + option.opts[0].removeprefix("--").replace("-", "_").upper(), "set")
        assert option.resolve_envvar_value(context) == "set", option.opts


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--fault", "create:cutt"], "create has no fault"),
        (["--latency", "soon"], "is not a duration"),
        (["--max-requests", "0"], "x>=1"),
    ],
)
def test_wrong_options_are_refused(arguments: list[str], words: str) -> None:
    refused = CliRunner().invoke(command, arguments)
    assert refused.exit_code == 2
    assert words in refused.output


@pytest.mark.parametrize(
    ("text", "seconds"), [("500ms", 0.5), ("2s", 2), ("10m", 600), ("6h", 21600), ("30d", 2592000), ("1.5", 1.5)]
)
def test_durations(text: str, seconds: float) -> None:
    assert duration(text) == seconds


def test_markers_are_found_escaped_and_not() -> None:
    assert marker_forms("plain") == (b"plain",)
    assert marker_forms("cà 😀") == ("cà 😀".encode(), b"c\\u00e0 \\ud83d\\ude00")


def test_registering_imports_no_server() -> None:
    import subprocess
    import sys

    code = (
        "import sys, batchd_sandbox as plugin\n"
        "names = {}\n"
        "plugin.register_commands(lambda name, factory: names.update({name: factory}))\n"
        "assert 'sandbox' in names, names\n"
        "assert 'aiohttp' not in sys.modules and 'msgspec' not in sys.modules and 'click' not in sys.modules\n"
        "assert names['sandbox']().name == 'sandbox'\n"
        "assert 'aiohttp' not in sys.modules\n"
    )
    environment = {"PYTHONPATH": ":".join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
