"""`[workers]`: where workers run, and how many tasks at a time."""

from __future__ import annotations

import pytest

from batchd.config.load import load
from batchd.plugin.catalogue import Catalogue

from .conftest import refused
from .test_observers import Write


def test_without_the_table_workers_are_processes_of_this_machine(write: Write, catalogue: Catalogue, good: str) -> None:
    workers = load(write(good), catalogue).workers
    assert (workers.executor, workers.number, workers.settings) == ("local", 0, {})


def test_what_stands_there(write: Write, catalogue: Catalogue, good: str) -> None:
    workers = load(write(good + '[workers]\nexecutor = "cluster"\nnumber = 8\naddress = "x"\n'), catalogue).workers
    assert (workers.executor, workers.number, workers.settings) == ("cluster", 8, {"address": "x"})


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ('executor = "lokal"', '15: [workers] executor: there is no executor "lokal"; did you mean "local"?'),
        ("number = -1", "15: [workers] number: should be greater than or equal to 0."),
        ('number = "two"', "15: [workers] number: should be a whole number."),
        ("executor = 3", "15: [workers] executor: should be text, in quotes."),
        ("numbre = 2", '15: [workers] numbre: there is no such key here; did you mean "number"?'),
        ('executor = "cluster"', "14: [workers] address: is missing."),
        (
            'executor = "cluster"\naddress = "x"\nxyzzy = 1',
            (
                "17: [workers] xyzzy: there is no such key here; the keys are: address, executor, number, "
                "read_timeout, row_timeout."
            ),
        ),
    ],
)
def test_what_is_wrong_is_said(write: Write, catalogue: Catalogue, good: str, table: str, message: str) -> None:
    assert refused(write(good + "[workers]\n" + table + "\n"), catalogue) == [message]
