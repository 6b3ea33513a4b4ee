"""All sorts of names at once, through the real daemon: processed or explained, nothing outside, nothing overwritten."""

from __future__ import annotations

import os
import unicodedata

import pytest

from .conftest import Shared, rows_of, until

pytestmark = pytest.mark.slow

NFC, NFD = (unicodedata.normalize(form, "đánh giá tốt.csv").encode() for form in ("NFC", "NFD"))
NAMES = [
    NFC,
    NFD,
    b"caf\xe9.csv",
    b"caf\xe8.csv",
    b"n" * 251 + b".csv",
    "ữ".encode() * 83 + b".csv",
    b"new\nline.csv",
    b"-rf.csv",
    b"--help.csv",
    b"CON.csv",
    b"con.csv",
    "🎉 émoji 👩‍👩‍👧.csv".encode(),
    b"a.csv",
    b"A.CSV",
    b"a.csv.csv",
    b"a .csv",
    b" .csv",
    b"%00.csv",
    b"$(touch owned).csv",
    b"'; DROP TABLE jobs; --.csv",
    "\u202evsc.csv".encode(),
    b"\x1b[31mred.csv",
    b"a.results.csv",
    b"a.report.json.csv",
]
HIDDEN = [b"..csv", b"...csv", b".hidden.csv"]
FOLDERS = [b"caf\xe9", b"CON", "ữ".encode() * 80, b"a.results.csv"]


def test_all_sorts_of_names(shared: Shared) -> None:
    inbox = os.fsencode(shared.inbox)
    places = [b"reviews/" + name for name in NAMES] + [b"reviews/in/" + folder + b"/x.csv" for folder in FOLDERS]
    for number, place in enumerate([*places, *(b"reviews/" + name for name in HIDDEN)]):
        os.makedirs(os.path.dirname(inbox + b"/" + place), exist_ok=True)
        with open(inbox + b"/" + place, "wb") as file:
            file.write(("\n".join(rows_of(f"tag{number}", 2)) + "\n").encode())
    before = {str(path) for path in shared.folder.iterdir()}
    daemon = shared.start()
    until(lambda: len(shared.reports("")) == len(places), f"all are delivered: {len(places)}", seconds=120)
    archive = shared.folder / "archive"
    until(lambda: sum(path.is_file() for path in archive.rglob("*")) == len(places), "all originals are put away")
    shared.stop(daemon)
    outbox = shared.folder / "outbox"
    found = {}
    for path in outbox.rglob("*"):
        assert not path.is_symlink()
        # Joiners stay, which emoji and Persian need; nothing else that is not seen.
        assert str(path.relative_to(outbox)).replace("\u200d", "").isprintable()
        assert len(os.fsencode(path.name)) <= 255
        if path.name.endswith(".results.csv") and path.is_file():
            [tag] = {line.partition("-")[0] for line in path.read_text().splitlines()[1:]}
            found[tag] = path
    assert set(found) == {f"tag{number}" for number in range(len(places))}, "each came back under a name of its own"
    originals = [path.read_text() for path in (shared.folder / "archive").rglob("*") if path.is_file()]
    assert sorted(originals) == sorted("\n".join(rows_of(f"tag{number}", 2)) + "\n" for number in range(len(places)))
    # Names with a leading dot are those of files on their way; the documentation says so.
    left = sorted(name for name in os.listdir(inbox + b"/reviews") if name != b"in")
    assert left == sorted(HIDDEN)
    assert {str(path) for path in shared.folder.iterdir()} - before <= {
        str(shared.folder / "daemon.log"),
        str(shared.folder / "state"),
    }
    # None of them drives a terminal.
    for command in (("status", "--all"), ("status", "--all", "--json")):
        assert "\x1b[31mred" not in shared.batchd(*command).stdout
