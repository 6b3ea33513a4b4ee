"""The story of a job: every event can be told to a person, written down and read back."""

from __future__ import annotations

import dataclasses
import json
import logging
import types
import typing

import pytest

from batchd import events
from batchd.events import Event, count, from_record
from batchd.events.base import listed, size_in_words
from batchd.testing.conformance import sample_events

KINDS = [each for each in vars(events).values() if isinstance(each, type) and issubclass(each, Event)]
SAMPLES = {event.kind: event for event in sample_events()}


def test_there_is_a_sample_of_every_event() -> None:
    assert set(SAMPLES) == {kind.__name__ for kind in KINDS} - {"Event"}


@pytest.mark.parametrize("kind", SAMPLES)
def test_it_says_a_sentence(kind: str) -> None:
    sentence = SAMPLES[kind].sentence
    assert sentence[0].isupper() or sentence[0].isdigit() or isinstance(SAMPLES[kind], _BEGIN_WITH_A_NAME)
    assert "\n" not in sentence
    assert "{" not in sentence


_BEGIN_WITH_A_NAME = (
    events.ConditionRaised,
    events.ConditionCleared,
    events.JobAccepted,
    events.JobFailed,
    events.JobLate,
    events.OrderGiven,
    events.SourceChanged,
    events.BatchEnded,
)


@pytest.mark.parametrize("kind", SAMPLES)
def test_every_field_that_matters_is_in_the_sentence_or_the_record(kind: str) -> None:
    event = SAMPLES[kind]
    assert event.data().keys() == {field.name for field in dataclasses.fields(event)} - {"job", "batch", "id", "at"}


@pytest.mark.parametrize("kind", SAMPLES)
def test_it_is_read_back_as_it_was_written(kind: str) -> None:
    event = SAMPLES[kind]
    stored = json.loads(json.dumps(event.data()))
    assert from_record(event.kind, stored, job=event.job, batch=event.batch) == event


@pytest.mark.parametrize("kind", SAMPLES)
def test_it_is_documented_and_immutable(kind: str) -> None:
    event = SAMPLES[kind]
    assert type(event).__doc__
    assert not (type(event).__doc__ or "").startswith(f"{kind}(")  # what dataclass writes by itself
    assert event.severity in {"debug", "info", "warning", "error"}
    assert isinstance(getattr(logging, event.severity.upper()), int)
    with pytest.raises(dataclasses.FrozenInstanceError):
        event.job = "another"  # type: ignore[misc]


@pytest.mark.parametrize("kind", SAMPLES)
def test_its_fields_are_of_types_that_json_can_say(kind: str) -> None:
    for name, hint in typing.get_type_hints(type(SAMPLES[kind])).items():
        if typing.get_origin(hint) is typing.ClassVar:
            continue
        kinds = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
        plain = {str, int, float, bool, type(None), list[str], list[int], dict[str, int], dict[str, typing.Any]}
        assert set(kinds) <= plain, f"{kind}.{name} is {hint}"


def test_an_event_of_another_version_is_passed_over() -> None:
    assert from_record("JobDanced", {}, job=None, batch=None) is None
    assert from_record("JobClaimed", {"source": "a"}, job=None, batch=None) is None
    extra = {"source": "a", "route": "r", "size": 1, "colour": "green"}
    assert from_record("JobClaimed", extra, job=None, batch=None) is None
    assert from_record("Event", {}, job=None, batch=None) is None


@pytest.mark.parametrize(("number", "words"), [(0, "0 rows"), (1, "1 row"), (2_000, "2,000 rows")])
def test_counting(number: int, words: str) -> None:
    assert count(number, "row") == words


def test_a_file_that_no_route_takes_names_none() -> None:
    claimed = events.JobClaimed(job="k3j9x2ab", source="notes.txt", route="", size=2)
    assert claimed.sentence == "Received notes.txt (2 bytes); no route takes it."


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (1, "1 byte"),
        (812, "812 bytes"),
        (999, "999 bytes"),
        (1_000, "1.0 KB"),
        (26_781, "27 KB"),
        (999_400, "999 KB"),
        (999_600, "1.0 MB"),
        (8_400_120, "8.4 MB"),
        (12_000_000_000, "12.0 GB"),
    ],
)
def test_sizes_are_rounded_for_people(size: int, words: str) -> None:
    assert size_in_words(size) == words


def test_codes_are_said_in_words() -> None:
    assert listed({"server_error": 1_506, "refused": 2}) == "1,506 server error, 2 refused"


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        ("0.015918", "0.02"),
        ("0.02", "0.02"),
        ("0.000001", "0.01"),
        ("12.40", "12.40"),
        ("0", "0"),
        ("1,750.001", "1,750.01"),
        ("175", "175"),
    ],
)
def test_what_a_job_costs_at_most_is_rounded_up_to_cents(amount: str, words: str) -> None:
    event = events.JobPlanned(job="j1", requests=2, failed=0, estimated_cost=amount, currency="USD")
    assert event.sentence == f"Ready to send 2 questions; they cost at most {words} USD."
