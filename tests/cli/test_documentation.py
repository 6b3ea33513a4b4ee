"""docs/commands.md has every command with every option, and none that there is not."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import click

from batchd.cli.call import Call
from batchd.cli.main import EXIT_STATUSES, SECTIONS
from batchd.cli.main import batchd as group
from batchd.status import job_words

TEXT = (Path(__file__).parents[2] / "docs" / "commands.md").read_text("utf-8")
SECTION = re.compile(r"^#{2,3} (batchd .+)$", re.MULTILINE)
OPTION = re.compile(r"^- (`-.+?):", re.MULTILINE)


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every built-in command, `batchd config get` and so on."""
    for names in SECTIONS.values():
        for name in names:
            command = group.get_command(click.Context(group, obj=Call()), name)
            assert command is not None
            yield f"batchd {name}", command
            if isinstance(command, click.Group):
                for inner, each in command.commands.items():
                    yield f"batchd {name} {inner}", each


def sections() -> dict[str, str]:
    """What stands under each heading, up to the next one."""
    pieces = SECTION.split(TEXT)
    return dict(zip(pieces[1::2], pieces[2::2], strict=True))


def test_there_is_a_section_for_each_command_and_for_nothing_else() -> None:
    assert set(sections()) == {name for name, _ in commands()}


def test_each_section_has_the_options_and_no_other() -> None:
    faults = []
    for name, command in commands():
        written = {option for line in OPTION.findall(sections()[name]) for option in re.findall(r"`(-[^`]+)`", line)}
        shown = [each for each in command.params if isinstance(each, click.Option) and not each.hidden]
        there = {option for each in shown for option in each.opts}
        faults += [f"{name} has {option}, its section has not" for option in sorted(there - written)]
        faults += [f"{name} has no {option}, its section has" for option in sorted(written - there)]
    assert not faults, "\n".join(faults)


def test_each_section_has_the_arguments() -> None:
    faults = []
    for name, command in commands():
        text = sections().get(name, "") + sections()[" ".join(name.split()[:2])]
        for each in command.params:
            argument = each.make_metavar(click.Context(command))
            written = "bash | zsh | fish" if argument.startswith("{") else argument
            if each.param_type_name != "option" and written not in text:
                faults.append(f"{name} takes {written}, its section does not say so")
    assert not faults, "\n".join(faults)


def test_the_options_that_stand_before_the_command() -> None:
    common = TEXT.partition("## Exit statuses")[0]
    for each in group.params:
        assert f"`{each.opts[0]}" in common


def test_the_exit_statuses() -> None:
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", TEXT, re.MULTILINE)
    assert rows == list(EXIT_STATUSES)


def test_the_states_of_a_job_are_those_that_status_shows() -> None:
    [function] = ast.parse(inspect.getsource(job_words.state_in_words)).body
    results = [node.value for node in ast.walk(function) if isinstance(node, ast.Return)]
    results += [branch for each in results if isinstance(each, ast.IfExp) for branch in (each.body, each.orelse)]
    shown = {each.value for each in results if isinstance(each, ast.Constant)} | set(job_words.STATES.values())
    rows = re.findall(r"^\| ([a-z ]+) \|", sections()["batchd status"], re.MULTILINE)
    assert {row for row in rows if row != "state"} == shown
    assert len(rows) == len(shown) + 1


def test_commands_of_the_built_in_plugins_are_mentioned() -> None:
    known = {name.split()[1] for name, _ in commands()}
    others = set(group.list_commands(click.Context(group, obj=Call()))) - known
    assert others == {"demo", "mcp", "sandbox"}
    for name in others:
        assert re.search(rf"\b{name}\b", TEXT.partition("## Exit statuses")[0]), name
