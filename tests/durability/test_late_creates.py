"""The daemon dies while it creates a batch, and the server goes on with it: real processes, counted on its side."""

from __future__ import annotations

import json
import re
import urllib.request
from typing import Any

import pytest

from ..end_to_end.conftest import until
from .conftest import MakeRig
from .rig import Rig

pytestmark = pytest.mark.slow

ROWS = 20
CREATE_TIMEOUT = 0.5
WAIT = 3 * CREATE_TIMEOUT
SHORT = {"create_timeout": "500ms"}


def killed_while_creating(rig: Rig, *arrived: str) -> None:
    """A daemon that dies once the server has its create call; `arrived` is what the ledger may show then."""
    life = rig.live()
    rig.drop_rows("may", ROWS)
    until(lambda: any(map(rig.ledger().get, arrived)), "the create call has arrived")
    life.kill()


def intent(rig: Rig) -> float:
    """When the create call was allowed to go out."""
    [batch] = rig.query("SELECT intent FROM batches")
    at: float = json.loads(batch["intent"])["at"]
    return at


def story(rig: Rig, kind: str) -> list[float]:
    """When this happened."""
    return [row["at"] for row in rig.query("SELECT at FROM events WHERE kind = ?", kind)]


@pytest.mark.slow(seconds=5)
@pytest.mark.parametrize("delay", [0.2, 1.4])
def test_a_create_that_takes_effect_after_the_kill_is_waited_out_and_found(make_rig: MakeRig, delay: float) -> None:
    for attempt in range(3):
        rig = make_rig(**SHORT)
        rig.fault(f"create:late:delay={delay}s")
        # Mostly it is still to come when it is looked for. Where the machine stood still, it has come already.
        killed_while_creating(rig, *(("batches_to_come", "batches") if delay > 1 else ("create_calls",)))
        began = intent(rig)
        life = rig.live()
        rig.drain(life)
        assert life.stop() == 0
        [batch] = rig.ledger()["batches"]
        if batch["created_at"] - began < WAIT or attempt == 2:
            break
        # The machine stood still on the way to the server, which is later than anyone promises anything.
    counts = rig.checked()
    assert not counts.wrong, str(counts)
    assert rig.ledger()["create_calls"] == 1
    [found] = story(rig, "BatchFound")
    assert found - began >= WAIT


def test_a_create_that_never_takes_effect_is_made_again_after_two_looks(make_rig: MakeRig) -> None:
    rig = make_rig(**SHORT)
    rig.fault("create:slow:delay=10m")
    killed_while_creating(rig, "create_calls")
    began = intent(rig)
    looked = rig.ledger()["calls"].get("list", 0)
    rig.control("DELETE", "faults")
    life = rig.live()
    rig.drain(life, seconds=60.0)
    assert life.stop() == 0
    [not_found] = story(rig, "BatchNotFound")
    assert not_found - began >= WAIT + CREATE_TIMEOUT / 2, "the second look comes after a pause"
    assert rig.ledger()["calls"]["list"] - looked == 2
    assert rig.ledger()["create_calls"] == 2
    # The server still sits over the first call. It is later than three times the time-out, so it counts as lost.
    assert len(rig.ledger()["batches"]) == 1
    counts = rig.checked()
    assert not counts.wrong, str(counts)


@pytest.mark.slow(seconds=20)
def test_of_two_that_are_found_the_older_is_kept_and_the_answers_of_both_are_used(make_rig: MakeRig) -> None:
    rig = make_rig("--latency", "3500ms", part_rows=ROWS)
    rig.fault("create:timeout:delay=30s", "batch:expired:fraction=0.5")
    killed_while_creating(rig, "batches")
    rig.control("DELETE", "faults")
    [key] = [row["key"] for row in rig.query("SELECT key FROM batches")]
    [older] = rig.ledger()["batches"]
    younger = create(rig, older["input_file_id"], key)
    life = rig.live()
    rig.drain(life)
    assert life.stop() == 0
    assert rig.looked_over(at_rest=True) == []
    [batch] = rig.query("SELECT remote, extra_remotes FROM batches WHERE key = ?", key)
    assert batch["remote"] == older["id"]
    assert json.loads(batch["extra_remotes"]) == [younger]
    batches = {each["id"]: each for each in rig.ledger()["batches"]}
    assert batches[older["id"]]["status"] == "expired"
    assert batches[younger]["status"] in {"cancelled", "completed"}, "it was asked to stop, if it had not ended"
    # A few more if it had ended: a service refuses that, in different ways.
    assert rig.ledger()["calls"]["cancel"] == 1 or batches[younger]["status"] == "completed"
    # Both answer the file from its beginning: what neither has answered is asked again, and nothing else.
    answered = max(batches[older["id"]]["executed"], batches[younger]["executed"])
    assert answered > batches[older["id"]]["executed"] > 0, "both have answers, and not the same"
    again = sum(each["requests"] for each in batches.values() if each["id"] not in {older["id"], younger})
    assert again == ROWS - answered


def create(rig: Rig, file: str, key: str) -> str:
    """What a lost retry would have done: one more batch out of the same file."""
    body = {
        "input_file_id": file,
        "endpoint": "/v1/chat/completions",
        "completion_window": "24h",
        "metadata": {"batchd_key": key},
    }
    headers = {"Content-Type": "application/json", "Authorization": "Bearer none"}
    request = urllib.request.Request(f"{rig.url}/batches", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=30) as response:
        created: dict[str, Any] = json.load(response)
    return str(created["id"])


@pytest.mark.slow(seconds=5)
@pytest.mark.parametrize("there", [True, False], ids=["found", "absent"])
def test_where_no_list_can_be_seen_the_batch_is_held_and_a_command_resolves_it(make_rig: MakeRig, there: bool) -> None:
    rig = make_rig(**SHORT) if there else make_rig()
    rig.fault("list:404:count=always", "create:cut-after" if there else "create:cut")
    life = rig.live()
    rig.drop_rows("may", ROWS)
    asked = r"batchd resolve (\S+) --found ID, or --absent"
    until(lambda: rig.query("SELECT 1 FROM batches WHERE state = 'held'"), "the batch is held")
    until(lambda: re.search(asked, rig.batchd("status").stdout), "batchd status asks, too")
    found = re.search(asked, rig.batchd("status").stdout)
    assert found is not None
    told = rig.said().decode()
    assert f"`batchd resolve {found[1]} --found ID`" in told
    assert f"`batchd resolve {found[1]} --absent`" in told
    assert rig.ledger()["create_calls"] == 1, "it does not guess"
    answer = ["--found", rig.ledger()["batches"][0]["id"]] if there else ["--absent"]
    resolved = rig.batchd("resolve", found[1], *answer)
    assert resolved.returncode == 0, resolved.stderr
    assert found[1] in resolved.stdout
    rig.drain(life)
    assert life.stop() == 0
    counts = rig.checked()
    assert not counts.wrong, str(counts)
    assert len(rig.ledger()["batches"]) == 1
    assert rig.ledger()["create_calls"] == (1 if there else 2)
