"""`batchd events` of a job that went through a good deal: the whole of it, for the operator who was woken by it."""

from __future__ import annotations

import os
import re
import signal

import pytest

from .conftest import Shared, rows_of, until

pytestmark = pytest.mark.slow


@pytest.mark.slow(seconds=20)
def test_the_story_of_a_job_with_faults(shared: Shared) -> None:
    shared.fault(
        "create:cut-after", "line:500:fraction=0.3,count=1", "line:400:marker=review 77 of,count=always", "auth:401"
    )
    shared.drop("reviews/may.csv", "\n".join(rows_of("may", 120)) + "\n")
    daemon = shared.start()
    until(lambda: "provider sandbox" in shared.troubles(), "a refused key is said")
    os.killpg(daemon.pid, signal.SIGKILL)
    daemon.wait()
    shared.control("DELETE", "faults")
    shared.fault("create:cut-after", "line:500:fraction=0.3,count=1", "line:400:marker=review 77 of,count=always")
    daemon = shared.start()
    shared.quiet()
    shared.stop(daemon)
    told = shared.batchd("events", "may.csv").stdout.splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  [A-Za-z0-9]", line) for line in told), told
    sentences = [line[21:] for line in told]

    def place(*words: str) -> int:
        """Which sentence has all of these in it."""
        found = [number for number, sentence in enumerate(sentences) if all(word in sentence for word in words)]
        assert found, f"nothing is said of {words}:\n" + "\n".join(sentences)
        return found[0]

    order = [
        place("Received reviews/may.csv"),
        place("reviews/may.csv has 120 rows."),
        place("Ready to send 120 questions"),
        place("provider sandbox", "SANDBOX_KEY", "Jobs wait; nothing is lost"),
        place("provider sandbox: all is well again"),
        place("It is not known whether the provider has created batch", "does not create it twice"),
        place("Found batch", "at the provider"),
        place("finished batch", "of 120 answered"),
        place("Downloaded 120 answers"),
        place("will be asked again (attempt 2)", "server error"),
        place("Wrote reviews/may.results.csv and reviews/may.failed.csv."),
        place("Finished reviews/may.csv:", " invalid request", "The report is reviews/may.report.json."),
    ]
    assert order == sorted(order), "\n".join(sentences)
    assert order[-1] == len(sentences) - 1
    # As sentences: no doubled full stops, nothing of Python.
    for sentence in sentences:
        assert ".." not in sentence
        assert "Error:" not in sentence
        assert "None" not in sentence
        assert sentence.rstrip()[-1] in ".…", sentence
