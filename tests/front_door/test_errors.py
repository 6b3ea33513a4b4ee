"""Errors travel between processes whole, and each tells the shell what to do."""

from __future__ import annotations

import copy
import pickle
import re

import pytest

from batchd import errors
from batchd.errors import (
    BatchdError,
    CannotFind,
    ConfigError,
    FileRefused,
    NodeLost,
    NotKnownYet,
    NotSent,
    PluginError,
    ProviderError,
    RejectedError,
    RemoteMissing,
    StateError,
    StateLocked,
    StateUnusable,
    SubmissionRefused,
    TooManyCalls,
    TransientError,
    WorkerLost,
)
from batchd.model import Problem

ALL = [
    BatchdError("root"),
    ConfigError("config.toml says nonsense"),
    PluginError("it is broken"),
    FileRefused("encoding", "It is not text."),
    WorkerLost("died"),
    NodeLost("gone"),
    StateError("no"),
    StateLocked("taken"),
    StateUnusable("broken"),
    ProviderError("odd"),
    TransientError("busy", retry_after=2.5),
    TransientError("busy"),
    TooManyCalls("slow down", retry_after=2.5, limit="tokens"),
    NotSent("offline", retry_after=1.0),
    RejectedError("bad key"),
    SubmissionRefused("no", problems=[Problem("code", "message", 3)]),
    SubmissionRefused("no"),
    RemoteMissing("gone"),
    CannotFind("cannot"),
    NotKnownYet("not yet"),
]


def all_errors(root: type[BatchdError] = BatchdError) -> set[type[BatchdError]]:
    """The classes of the tree that are defined in `batchd.errors`."""
    below = {each for child in root.__subclasses__() for each in all_errors(child)}
    return {each for each in {root, *below} if each.__module__ == errors.__name__}


def test_every_error_is_looked_at_here() -> None:
    assert {type(error) for error in ALL} == all_errors()


@pytest.mark.parametrize("error", ALL, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("travel", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy], ids=["pickle", "copy"])
def test_an_error_arrives_as_it_left(error: BatchdError, travel: object) -> None:
    arrived = travel(error)  # type: ignore[operator]
    assert type(arrived) is type(error)
    assert str(arrived) == str(error)
    assert vars(arrived) == vars(error)


def test_the_exit_status_is_what_the_shell_is_promised() -> None:
    promised = {BatchdError: 1, ConfigError: 4, PluginError: 4, StateError: 5, StateLocked: 11, ProviderError: 5}
    for error in all_errors():
        nearest = next(base for base in error.__mro__ if base in promised or base is FileRefused)
        assert error.exit_status == promised.get(nearest, 1)


def test_the_docstring_draws_the_tree_as_it_is() -> None:
    drawn: dict[str, str] = {}
    above: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"[ │+|`─├└-]*", line)
        name = line[match.end() :].split(" ")[0] if match else ""
        if not isinstance(getattr(errors, name, None), type):
            continue
        depth = line.index(name)
        while above and above[-1][0] >= depth:
            above.pop()
        drawn[name] = above[-1][1] if above else "Exception"
        above.append((depth, name))
    assert drawn == {error.__name__: error.__bases__[0].__name__ for error in all_errors()}


def test_not_sent_is_a_transient_error_but_says_more() -> None:
    # Code that handles only TransientError must treat NotSent with no less care.
    assert issubclass(NotSent, TransientError)
    assert not issubclass(TransientError, NotSent)
