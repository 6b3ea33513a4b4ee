"""The helps of all commands speak with one voice: the same words for the same thing, at the same place."""

from __future__ import annotations

import inspect
import re

import click
import pytest

from .test_documentation import commands

WHAT_A_JOB_IS = "JOB is an id, its first characters, or the name of the dropped file."
BUILT_IN = {name: command for name, command in commands() if not isinstance(command, click.Group)}


@pytest.fixture(params=BUILT_IN, ids=str)
def named(request: pytest.FixtureRequest) -> tuple[str, click.Command]:
    return request.param, BUILT_IN[request.param]


def paragraphs(command: click.Command) -> list[str]:
    return inspect.cleandoc(command.help or "").split("\n\n")


def test_a_help_begins_with_a_sentence_and_ends_with_examples(named: tuple[str, click.Command]) -> None:
    name, command = named
    first, *_, last = paragraphs(command)
    assert re.match(r"[A-Z].*[.]$", first, re.DOTALL), first
    heading, *examples = last.removeprefix("\b\n").splitlines()
    assert heading == "Examples:", last
    assert all(name.split()[1] in each and each.startswith("  ") for each in examples), last


def test_what_a_job_is_stands_above_the_examples(named: tuple[str, click.Command]) -> None:
    _, command = named
    arguments = {each.make_metavar(click.Context(command)).strip("[]…") for each in command.params}
    about = [" ".join(each.split()) for each in paragraphs(command)]
    assert about[-2:-1] == [WHAT_A_JOB_IS] or "JOB" not in arguments
    assert sum("JOB is an id" in each for each in about) == ("JOB" in arguments)


def test_exit_statuses_have_a_paragraph_of_their_own(named: tuple[str, click.Command]) -> None:
    _, command = named
    told = [each for each in paragraphs(command) if "Exits with" in each]
    assert all(each.startswith("Exits with ") for each in told)


def test_the_options_end_with_json_and_their_words_with_a_full_stop(named: tuple[str, click.Command]) -> None:
    _, command = named
    options = [each for each in command.params if isinstance(each, click.Option) and not each.hidden]
    names = [each.opts[0] for each in options]
    assert "--json" not in names[:-1]
    for each in options:
        said = (each.help or "").partition("  [")[0]
        assert re.match(r"[A-Z].*[.]$", said, re.DOTALL), f"{each.opts[0]}: {said}"
        assert each.metavar != "NUMBER", f"{each.opts[0]}: a number is N"
