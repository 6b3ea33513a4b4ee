"""Mails as they arrive at a real server, grouped; events posted to a real receiver, signed; scripts that are run."""

from __future__ import annotations

import asyncio
import email
import email.policy
import hashlib
import hmac
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP
from pydantic import ValidationError

from batchd import RejectedError, TransientError
from batchd.domain.states import USELESS
from batchd.events import (
    BatchReturned,
    ConditionRaised,
    JobFailed,
    JobFinished,
    JobHeld,
    JobRejected,
    OrderRefused,
    PartSplit,
    SinkSkipped,
    TryEnded,
)
from batchd.values import replace
from batchd_notify.command import Command
from batchd_notify.notify import Notify
from batchd_notify.webhook import Webhook
from batchd_notify.words import body, line, record, subject

from ..sinks_plugin.receiver import Answer, Receiver

# apprise asks for a module that Python 3.13 has no more.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")

SECRET = "cell with a secret"


def finished(number: int) -> JobFinished:
    return JobFinished(
        job=f"j{number}",
        id=number,
        at=1_800_000_000.0,
        source=f"reviews/{number}.csv",
        outcome="done",
        ok=1200,
        failed=number % 2,
        skipped=0,
        report=f"reviews/{number}.report.json",
        failures={},
        batches=1,
    )


REJECTED = JobRejected(job="r", id=90, source="x.csv", code="encoding", reason=f"line 3 reads {SECRET}")
STOPPED = JobFailed(job="s", id=91, source="y.csv", reason=f"the sink says {SECRET}")
HELD = JobHeld(job="h", id=92, source="z.csv", reason="it can cost 12.00 USD")


def test_messages_have_names_and_counts_and_never_what_is_in_a_file() -> None:
    events = [*(finished(number) for number in range(28)), HELD, REJECTED, STOPPED]
    assert subject(events) == "batchd: 28 files done, 1 held, 1 not usable, 1 stopped"
    assert subject([HELD, HELD]) == "batchd: 2 files held"
    assert line(finished(1)) == "reviews/1.csv is done: 1,200 answered, 1 failed. The report is reviews/1.report.json."
    assert subject([REJECTED]).startswith("batchd: x.csv could not be used (encoding).")
    assert body(events).count("\n") == 31
    assert SECRET not in body(events) + json.dumps([record(event) for event in events])


def test_reasons_that_may_quote_a_row_stay_in_the_house() -> None:
    quoting = [
        JobHeld(job="h", source="z.csv", reason=f"each is “{SECRET}”", code=USELESS),
        JobHeld(job="h", source="z.csv", reason=f"by a version that wrote no code: {SECRET}"),
        BatchReturned(batch="b", reason=f"line 3: {SECRET} is not allowed"),
        OrderRefused(job="j", order="retry", reason=f"Job j was rejected: {SECRET}"),
        TryEnded(source="x.csv", ok=1, failed=0, reason=SECRET),
        SinkSkipped(job="j", sink="db", reason=SECRET),
        PartSplit(job="j", part=0, pieces=2, reason=SECRET),
        ConditionRaised(subject="sink db", text=f"invalid input for a number: {SECRET}"),
        ConditionRaised(subject="job j", text=SECRET),
    ]
    faults = [each.kind for each in quoting if SECRET in line(each) + json.dumps(record(each))]
    assert not faults
    assert line(quoting[2]) == "Batch b did not run, and its questions are to be sent again: batchd's log says why"
    # What a file costs, and what a service or a disk lacks, is told.
    money = JobHeld(job="h", source="z.csv", reason="it can cost 12.00 USD", code="per_job")
    assert "it can cost 12.00 USD" in line(money)
    assert record(money)["data"]["reason"] == "it can cost 12.00 USD"
    assert "The key is refused" in line(ConditionRaised(subject="provider acme", text="The key is refused."))


def test_a_name_makes_no_line_and_no_header_of_its_own() -> None:
    event = replace(finished(1), source="a\r\nBcc: evil@example.org\r\n\r\n<b>\x1b[31m\u202e\udcff.csv")
    for text in (line(event), subject([event])):
        assert text.isprintable()
        text.encode()
    assert len(body([event]).splitlines()) == 1
    assert len(subject([replace(event, source="x" * 500)])) == 150
    many = body([finished(number) for number in range(3_000)])
    assert many.splitlines()[-1] == "- and 2,900 more: batchd status"


def test_messages_in_vietnamese() -> None:
    events = [
        *(finished(number) for number in range(28)),
        HELD,
        REJECTED,
        STOPPED,
        ConditionRaised(subject="x", text="y"),
    ]
    assert (
        subject(events, "vi") == "batchd: 28 tập tin đã xong, 1 đang giữ lại, 1 không dùng được, 1 đã dừng, 1 tin khác"
    )
    told = body(events, "vi")
    assert "- reviews/1.csv đã xong: 1.200 có câu trả lời, 1 không thành công. Báo cáo: reviews/1.report.json." in told
    assert "- z.csv đang giữ lại. Để xem lý do: batchd status h" in told
    assert SECRET not in told
    assert "đã bị hủy" in line(replace(finished(1), outcome="cancelled"), "vi")


@asynccontextmanager
async def mail_server() -> AsyncIterator[tuple[int, list[Any], list[str]]]:
    """Its port, the mails that it has taken, and what it answers before it takes one."""
    mails: list[Any] = []
    answers: list[str] = []

    class Handler:
        async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
            if answers:
                return answers.pop(0)
            mails.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
            return "250 OK"

    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(Handler(), hostname="localhost"), "127.0.0.1", 0
    )
    async with server:
        yield server.sockets[0].getsockname()[1], mails, answers


@pytest.mark.slow  # apprise takes a second to import
async def test_thirty_files_are_one_mail_and_a_refusal_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    # The mail client asks for its own name, which can take seconds where there is no name server.
    monkeypatch.setattr(socket, "getfqdn", lambda *_: "localhost")
    # It waits for five seconds before each mail after the first.
    monkeypatch.setattr("apprise.NotifyBase.request_rate_per_sec", 0)
    async with mail_server() as (port, mails, answers):
        url = f"mailto://127.0.0.1:{port}?from=batchd@example.org&to=anna@example.org"
        observer = Notify(Notify.Settings(urls=[url], group="30s"))
        assert observer.group_for == 30.0
        await observer.aopen()
        answers.append("451 busy")
        events = [finished(number) for number in range(30)]
        with pytest.raises(TransientError):
            await observer.notice_all(events)
        await observer.notice_all(events)
        # One whose name is no text, and has a line end: apprise refuses such a mail, and all that are told with it.
        await observer.notice_all([replace(finished(1), source="khách\n\udcff.csv")])
        await observer.aclose()
    mail, odd = mails
    assert odd["Subject"].startswith("batchd: khách ?.csv is done")
    assert odd.get_content_type() == "text/plain"
    assert mail["Subject"] == "batchd: 30 files done"
    text = mail.get_body(("plain",)).get_content()
    assert "- reviews/29.csv is done: 1,200 answered, 1 failed." in text


@pytest.mark.slow
async def test_an_address_that_apprise_does_not_know_is_told_without_showing_it() -> None:
    observer = Notify(Notify.Settings(urls=["nothing://user:hunter2@example.org"]))
    with pytest.raises(RejectedError, match="Address 1 in urls, from the configuration file, is none") as caught:
        await observer.aopen()
    assert "hunter2" not in str(caught.value)


async def test_an_event_is_posted_signed_and_with_the_same_key_again() -> None:
    with closing(Receiver(Answer(503))) as receiver:
        observer = Webhook(Webhook.Settings(url=receiver.url, secret="s3cr3t"))
        await observer.aopen()
        with pytest.raises(TransientError, match="status 503"):
            await observer.notice(finished(7))
        await observer.notice(finished(7))
        await observer.aclose()
    (headers, content), (again, same) = receiver.requests
    assert content == same
    assert headers["Idempotency-Key"] == again["Idempotency-Key"] == "batchd-event-7"
    signed = hmac.new(b"s3cr3t", headers["Batchd-Timestamp"].encode() + b"." + content, hashlib.sha256).hexdigest()
    assert headers["Batchd-Signature"] == f"v1={signed}"
    event = json.loads(content)
    assert (event["kind"], event["id"], event["data"]["ok"]) == ("JobFinished", 7, 1200)


async def test_a_webhook_follows_no_redirect_and_says_what_does_not_answer() -> None:
    elsewhere = Answer(302, {"Location": "http://127.0.0.1:9/elsewhere", "Connection": "close"})
    with closing(Receiver(elsewhere)) as receiver:
        observer = Webhook(Webhook.Settings(url=receiver.url, secret="s"))
        await observer.aopen()
        with pytest.raises(RejectedError, match="redirects elsewhere"):
            await observer.notice(HELD)
    with pytest.raises(TransientError, match="could not be reached"):
        await observer.notice(HELD)
    await observer.aclose()


def test_a_webhook_to_another_machine_is_encrypted() -> None:
    with pytest.raises(ValidationError, match="without encryption"):
        Webhook.Settings(url="http://example.org/in", secret="s")
    Webhook.Settings(url="http://example.org/in", secret="s", insecure=True)
    with pytest.raises(ValidationError, match="must be an address"):
        Webhook.Settings(url="example.org", secret="s")
    for port in ("99999", "abc"):
        with pytest.raises(ValidationError, match="no valid port"):
            Webhook.Settings(url=f"https://example.org:{port}/in", secret="s")


SCRIPT = """import json, os, sys
event = json.load(sys.stdin)
open(sys.argv[1], "a").write(json.dumps([event["id"], sorted(set(os.environ) - {"LC_CTYPE"})]) + "\\n")
sys.stderr.write("no luck")
sys.exit(int(sys.argv[2]))
"""


async def test_a_script_gets_the_event_and_a_small_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLYSHEEP_API_KEY", "sk-1")
    script, out = tmp_path / "script.py", tmp_path / "out"
    script.write_text(SCRIPT)

    def command(status: int) -> Command:
        run = [sys.executable, "-I", str(script), str(out), str(status)]
        return Command(Command.Settings(run=run, environment={"TEAM": "a"}))

    await command(0).notice(finished(3))
    with pytest.raises(TransientError, match="ended with 4: no luck"):
        await command(4).notice(finished(4))
    first, second = map(json.loads, out.read_text().splitlines())
    assert first == [3, ["LANG", "PATH", "TEAM"]]
    assert second[0] == 4


async def test_a_script_may_leave_a_process_in_the_background(tmp_path: Path) -> None:
    script, left = tmp_path / "script.sh", tmp_path / "left"
    script.write_text(f"sleep 1000 & echo $! > {left}\n")
    await Command(Command.Settings(run=["/bin/sh", str(script)], timeout="20s")).notice(HELD)
    os.kill(int(left.read_text()), signal.SIGKILL)


@pytest.mark.slow
async def test_a_script_that_hangs_is_ended_with_what_it_started(tmp_path: Path) -> None:
    script, started = tmp_path / "script.sh", tmp_path / "started"
    script.write_text(f"sleep 1000 & echo $! > {started}; wait\n")
    observer = Command(Command.Settings(run=["/bin/sh", str(script)], timeout="500ms"))
    with pytest.raises(TransientError, match="did not end within"):
        await observer.notice(HELD)
    child = Path("/proc", started.read_text().strip(), "stat")
    async with asyncio.timeout(20):
        # Killed, it ends once it gets a processor.
        while child.exists() and child.read_text().split()[2] not in "ZX":
            await asyncio.sleep(0.01)


async def test_a_script_that_is_not_there_is_named() -> None:
    with pytest.raises(RejectedError, match="/nowhere/script cannot be run"):
        await Command(Command.Settings(run=["/nowhere/script"])).notice(HELD)
