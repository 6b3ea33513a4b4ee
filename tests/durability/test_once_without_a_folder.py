"""`batchd once` where a folder is missing: a person is there to mend it, and is told what to mend."""

from __future__ import annotations

import threading

import pytest

from ..cli.test_terminal import Terminal
from .conftest import MakeRig

pytestmark = pytest.mark.slow


def test_a_folder_that_is_missing_at_the_start_ends_it_before_anything_is_touched(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.drop_rows("may", 3)
    (rig.folder / "june.csv").write_text(rig.text("june", 3))
    for name in ("inbox", "outbox", "archive", "rejected"):
        folder = rig.folders[name]
        elsewhere = folder.rename(folder.with_name("elsewhere"))
        done = rig.batchd("once", "june.csv", "--route", "reviews")
        assert done.returncode == 5
        assert done.stderr.splitlines()[-1] == (
            f"batchd: {folder}: the {name} folder is not there, so batchd did not start. "
            "Mount its share, or make it: batchd init."
        )
        elsewhere.rename(folder)
    assert list(rig.folders["state"].iterdir()) == []
    assert [path.name for path in (rig.folders["inbox"] / "reviews").iterdir()] == ["may.csv"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("outbox", "the folder is not there (is its share mounted?) ({folder}). Trying again until it works."),
        # Files may lie in it, so it is not done while it cannot look.
        (
            "inbox",
            "The folder {folder} is not there. Looking again every 0 s. Mount its share, or make it:",
        ),
    ],
)
def test_a_folder_that_goes_away_meanwhile_is_waited_for_in_sight(make_rig: MakeRig, name: str, words: str) -> None:
    rig = make_rig("--latency", "1s")
    rig.drop_rows("may", 3)
    elsewhere = rig.folder / "elsewhere"
    terminal = Terminal("--config", rig.folder / "config.toml", "once", columns=400, SANDBOX_KEY="any")
    in_vain = threading.Timer(120, terminal.process.kill)
    in_vain.start()
    # Reading all the while: a terminal that nobody reads from blocks the program that writes to it.
    terminal.read(lambda _: bool(rig.ledger()["create_calls"]))
    rig.folders[name].rename(elsewhere)
    wanted = words.format(folder=rig.folders[name])
    assert wanted in terminal.read(lambda shown: wanted in shown)
    if name == "inbox":
        terminal.read(lambda _: rig.reported("may"))
    frames = terminal.raw.count(wanted) + 2
    assert terminal.read(lambda shown: shown.count(wanted) >= frames).count(wanted) >= frames, "it has not ended"
    elsewhere.rename(rig.folders[name])
    status, rest = terminal.end()
    in_vain.cancel()
    assert status == 0
    assert "3 ok" in rest
    counts = rig.checked()
    assert not counts.wrong, str(counts)
