"""What a provider answers passes a border: no secret comes in, no number that cannot be, nothing without end."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import IO, Any

import pytest

from batchd import (
    BatchPhase,
    BatchProvider,
    BatchStatus,
    Problem,
    RemoteBatch,
    Secret,
    Submission,
    TransientError,
    Usage,
)
from batchd.engine.provider_border import GuardedProvider, passed
from batchd.testing.fakes import FakeProvider, FakeService
from batchd.testing.household import Household

pytestmark = pytest.mark.field("hostile services")

KEY = "sk-border-4f0c9a7be21d"
ESCAPED = "".join(f"\\u{ord(each):04x}" for each in KEY)
BASE64 = base64.b64encode(f"Bearer {KEY}".encode()).decode()


class Echoing(FakeProvider):
    """Repeats the key wherever it can."""

    complaints = 3

    async def poll(self, batch: RemoteBatch) -> BatchStatus:
        if self.complaints:
            self.complaints -= 1
            raise TransientError(f"Busy with {KEY}.", retry_after=float("nan"))
        status = await super().poll(batch)
        return BatchStatus(status.phase, 2**70, 1, 0, (Problem("c", KEY),), details={**status.details, "who": KEY})

    async def download(self, batch: RemoteBatch, target: IO[bytes]) -> None:
        await super().download(batch, target)
        target.seek(0)
        lines = target.read().replace(b"MARK", ESCAPED.encode()).replace(b"CODE", BASE64.encode())
        target.seek(0)
        target.write(lines)


async def test_a_key_that_is_echoed_reaches_no_result_report_log_or_database(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Secret(KEY).reveal()
    service = FakeService(lambda body: f"{KEY} MARK CODE and {len(json.dumps(body))}")
    household = Household(tmp_path, service=service, provider=Echoing(service))
    household.drop("reviews/may.csv", "review\ngood\nbad\n")
    await household.work()
    (results,) = [text for name, text in household.outbox().items() if name.endswith(".results.csv")]
    assert b"********" in results
    forms = [KEY.encode(), ESCAPED.encode(), base64.b64encode(KEY.encode())[4:-8]]
    everything = {str(path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for name, content in everything.items():
        assert not [form for form in forms if form in content], name
    assert KEY not in str(household.events)
    assert KEY not in caplog.text


def test_each_method_of_the_contract_stands_at_the_border() -> None:
    methods = {name for name, each in vars(BatchProvider).items() if callable(each) and not name.startswith("_")}
    # Its background work belongs to the plugin itself: it answers nothing.
    assert methods - {"background"} <= vars(GuardedProvider).keys()


@pytest.mark.parametrize("number", [2**63, -1, 10**400, 1.5, "7", None, True])
def test_impossible_numbers_are_unknown(number: Any) -> None:
    status = passed(
        BatchStatus(
            BatchPhase.COMPLETED,
            number,
            number,
            number,
            (Problem("c", "m", number),),
            Usage(number, 0, 1),
        )
    )
    assert (status.total, status.completed, status.failed) == (0, 0, 0)
    assert status.problems[0].line is None
    assert status.usage is None or number is True


async def test_what_has_no_end_is_cut_or_refused(tmp_path: Path) -> None:
    class Endless(FakeProvider):
        async def submit(self, submission: Submission) -> str:
            return "x" * 1_000_000

        async def poll(self, batch: RemoteBatch) -> BatchStatus:
            long = Problem("c" * 1_000, "m" * 2_500)
            return BatchStatus(BatchPhase.FAILED, problems=(long, *[Problem("c", "m")] * 60_000, long))

        async def cancel(self, batch: RemoteBatch) -> None:
            raise TransientError("x" * 1_000_000)

    provider = GuardedProvider(Endless(FakeService()))
    submission = Submission("key", tmp_path / "x", 1, 1, "m", "/v1/chat/completions")
    with pytest.raises(TransientError, match="cannot be an id"):
        await provider.submit(submission)
    status = await provider.poll(RemoteBatch("1", "key", {}))
    assert len(status.problems) == 50_000
    assert len(status.problems[0].message) == 2_000
    with pytest.raises(TransientError) as raised:
        await provider.cancel(RemoteBatch("1", "key", {}))
    assert len(str(raised.value)) < 5_000
