"""docs/commands.md has every command with every option, and the exit statuses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from batchd.cli.main import EXIT_STATUSES, SECTIONS, batchd

PAGE = (Path(__file__).parents[2] / "docs" / "commands.md").read_text("utf-8")
BUILT_IN = [name for commands in SECTIONS.values() for name in commands]


def section(name: str) -> str:
    """What stands under the heading of a command."""
    return PAGE.partition(f"\n## {name}\n")[2].partition("\n## ")[0]


def leaves(name: str, command: click.Command, context: click.Context) -> Iterator[tuple[str, click.Command]]:
    """The command, or those of its group."""
    if isinstance(command, click.Group):
        for inner in command.list_commands(context):
            found = command.get_command(context, inner)
            assert found is not None
            yield from leaves(inner, found, context)
    else:
        yield name, command


@pytest.fixture
def context() -> click.Context:
    """As of a call of the command line."""
    return batchd.make_context("batchd", ["status"])


@pytest.mark.parametrize("name", BUILT_IN)
def test_it_has_a_section_with_all_its_options(name: str, context: click.Context) -> None:
    text = section(f"batchd {name}")
    assert text, f"docs/commands.md has no section on batchd {name}"
    command = batchd.get_command(context, name)
    assert command is not None
    for inner, leaf in leaves(name, command, context):
        assert re.search(rf"\b{inner}\b", text)
        for parameter in leaf.params:
            if isinstance(parameter, click.Option) and not parameter.hidden and parameter.name != "help":
                assert any(option in text for option in parameter.opts), f"{name} has an option {parameter.opts[-1]}"


def test_the_commands_of_plugins_are_mentioned(context: click.Context) -> None:
    others = set(batchd.list_commands(context)) - set(BUILT_IN)
    assert others == {"demo", "sandbox"}
    assert all(re.search(rf"\b{name}\b", PAGE) for name in others)


def test_the_options_of_all_commands_are_there() -> None:
    for parameter in batchd.params:
        assert parameter.opts[-1] in PAGE


def test_no_command_is_described_that_is_not_there() -> None:
    described = re.findall(r"^## batchd (\w+)$", PAGE, re.MULTILINE)
    assert set(described) <= {*BUILT_IN, "demo", "sandbox"}


def test_the_exit_statuses_are_those_of_the_help() -> None:
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", section("Exit statuses"), re.MULTILINE)
    assert tuple(rows) == EXIT_STATUSES
