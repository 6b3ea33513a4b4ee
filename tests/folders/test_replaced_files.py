"""Files that are replaced, written over and deleted in the very moments in which they are taken."""

from __future__ import annotations

import contextlib
import csv
import random
import threading
import time

from .conftest import Shared, rows_of, size, until

NAMES = 12


def storm(shared: Shared, seconds: float, seed: int) -> dict[str, str]:
    """Replace and delete files under a few names without a pause; the last version under each name that stayed."""
    chance = random.Random(seed)
    reviews, aside = shared.inbox / "reviews", shared.folder / "aside"
    aside.mkdir(exist_ok=True)
    last: dict[str, str] = {}
    version, deadline = 0, time.monotonic() + seconds
    while time.monotonic() < deadline:
        name, version = f"file{chance.randrange(NAMES)}", version + 1
        tag = f"{name}v{version}s{seed}"
        target = reviews / f"{name}.csv"
        match chance.randrange(4):
            case 0:
                with contextlib.suppress(FileNotFoundError):
                    target.unlink()
                last.pop(name, None)
                continue
            case 1:
                # In place, as editors do: whoever has it open sees it change.
                target.write_text("\n".join(rows_of(tag, 5)) + "\n")
            case _:
                (aside / name).write_text("\n".join(rows_of(tag, 5)) + "\n")
                (aside / name).rename(target)
        last[name] = tag
        time.sleep(chance.uniform(0, 0.03))
    return last


def test_what_is_taken_is_one_version_and_the_last_one_always(shared: Shared) -> None:
    shared.configure(settle='"20ms"', rescan='"20ms"')
    daemon = shared.start()
    lasts: list[dict[str, str]] = []
    # One storm after the other: versions of two at once would be mixed by those who write, not by us.
    for seed in range(size(2, 20)):
        thread = threading.Thread(target=lambda seed=seed: lasts.append(storm(shared, 2.5, seed)))
        thread.start()
        thread.join()
        until(lambda: not list((shared.inbox / "reviews").iterdir()), "what is left was taken")
    shared.quiet()
    shared.stop(daemon)
    seen: set[str] = set()
    for path in (shared.folder / "outbox" / "reviews").glob("*.results.csv"):
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        [tag] = {row["id"].rpartition("-")[0] for row in rows}
        assert [row["id"] for row in rows] == [f"{tag}-{number}" for number in range(5)], path.name
        assert {row["status"] for row in rows} == {"ok"}
        assert tag not in seen, f"{tag} came back twice"
        seen.add(tag)
    assert seen, "nothing was taken in the storm: it was none"
    for last in lasts:
        assert set(last.values()) <= seen, "a file that nobody took away again is missing"
    # Nothing hidden is left of claims that came to nothing.
    assert not list(shared.inbox.rglob(".*"))
    jobs = {row["id"] for row in shared.ask("SELECT id FROM jobs")}
    assert {path.name for path in (shared.folder / "state" / "jobs").iterdir()} <= jobs
