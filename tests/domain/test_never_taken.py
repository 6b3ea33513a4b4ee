"""Names that other programs made or still write under: never taken, and the names beside them that are."""

from __future__ import annotations

import pytest

from batchd.domain.never_taken import is_conflict_copy, is_never_taken

pytestmark = pytest.mark.field("folders")


@pytest.mark.parametrize(
    "path",
    [
        ".may.csv.Xy12Zq",  # rsync
        ".~tmp~/may.csv",  # rsync --delay-updates
        ".goutputstream-ABC",
        "._may.csv",
        ".DS_Store",
        ".nfs000000000001",
        "..csv",
        "~$may.xlsx",  # Excel's lock
        "may.csv~",
        "may.csv.tmp",
        "MAY.CSV.TMP",
        "~may.tmp",
        "may.csv.part",
        "may.csv.ocTransferId123.part",
        "may.csv.partial",
        "may.csv.filepart",  # WinSCP
        "may.csv.crdownload",
        "may.csv.swp",
        "may.csv.SWX",
        "~syncthing~may.csv.tmp",
        "~syncthing~may.csv",
        "desktop.ini",
        "Desktop.ini",
        "Thumbs.db",
        "reviews/Thumbs.db",
        ".stfolder/x.csv",
        ".stversions/may~2026.csv",
        ".localized",
        "@eaDir/may.csv",
        "reviews/@eaDir/may.csv/SYNOFILE",
        ".Spotlight-V100/x.csv",
        ".Trashes/x.csv",
        "__MACOSX/may.csv",
        "upload.part/may.csv",
        ".k3j9x2ab.claim",  # our own
        "#recycle/old.csv",
        "$RECYCLE.BIN/S-1-5-21/x.csv",
        "reviews/@Recycle/may.csv",
        "~snapshot/hourly.0/may.csv",
        ".snapshot/hourly.0/may.csv",
        "#snapshot/may.csv",
        "@GMT-2026.11.28-06.00.00/may.csv",
        ".zfs/snapshot/x/may.csv",
        "System Volume Information/x.csv",
        ".Trash-1000/files/may.csv",
        ".recycle/may.csv",
        "Network Recycle Bin 1/may.csv",
        "RECYCLER/S-1-5-21/may.csv",
        ".dropbox.cache/2026-11-28/may.csv",
        ".AppleDouble/may.csv",
        "Icon\r",
        "may.csv.!sync",
        "may.csv.!ut",
        "may.csv.!qB",
        "may.csv.aria2",
        "may.csv.opdownload",
        "may.csv.upload",
        "may.csv.dtapart",
        "may.csv.crswap",
        "may.csv.download/may.csv",
        "Unconfirmed 48193.crdownload",
        "may.csv.a1b2c3d4.partial",
        "may.csv.6eF3aB12",
        "may.csv_.gstmp",
        "may.csv.nextcloud",
        ".~lock.may.csv#",
        "~WRL0001.tmp",
        "~WRD0002",
        "5D2C1A00",
        "#may.csv#",
        "may.csv.sb-1a2b3c4d-AbCdEf",
        "(A Document Being Saved By Numbers)/may.csv",
    ],
)
def test_never_taken(path):
    assert is_never_taken(path)


@pytest.mark.parametrize(
    "path",
    [
        "may.csv",
        "reviews/may.csv",
        "-may.csv",
        "$may.csv",
        "~may.csv",
        "may~1.csv",
        "part.csv",
        "tmp/may.csv",
        "my.tmp.csv",
        "template.csv",
        "thumbs.db.csv",
        "đánh giá.csv",
        "desktop.ini.csv",
        "recycle/may.csv",
        "download/may.csv",
        "20261128",
        "may.20261128",
        "DEADBEEF.csv",
        "#1 reviews.csv",
        "@home/may.csv",
        "unconfirmed orders.csv",
    ],
)
def test_taken(path):
    assert not is_never_taken(path)


@pytest.mark.parametrize(
    "name",
    [
        "may (Anna's conflicted copy 2026-11-28).csv",
        "may (conflicted copy 2026-11-28 114500).csv",
        "may (In Konflikt stehende Kopie von Anna 2026-11-28).csv",
        "may (Copie en conflit de Anna 2026-11-28).csv",
        "may.sync-conflict-20261128-114500-ABCDEFG.csv",
        "may_conflict-20261128-114500.csv",
        "may [Conflict].csv",
        "may [Conflict 1].csv",
        "may (SFConflict anna@example.org 2026-11-28-11-45-00).csv",
        "may.Conflict.csv",
        "may (Case Conflict 1).csv",
        "may (Unicode Encoding Conflict).csv",
        "may (Bản sao xung đột của Anna 2026-11-28).csv",
        "may (Anna 的冲突副本 2026-11-28).csv",
        "may-DESKTOP-4F2K9QX.csv",
        "may-LAPTOP-4F2K9QX1-2.csv",
        "may_NAS_Nov-28-114500-2026_Conflict.csv",
    ],
)
def test_a_copy_of_a_conflict(name: str) -> None:
    assert is_conflict_copy(name)


@pytest.mark.parametrize(
    "name",
    [
        "conflict.csv",
        "may-DESKTOP-REVIEWS.csv",
        "may-desktop-4f2k9qx.csv",
        "case conflict.csv",
        "war_conflict.csv",
        "conflicts 2026.csv",
        "[Conflicts of interest].csv",
    ],
)
def test_no_copy_of_a_conflict(name: str) -> None:
    assert not is_conflict_copy(name)


@pytest.mark.parametrize(
    ("path", "pattern", "ignored"),
    [
        ("may.bak.csv", "*.bak.csv", True),
        ("old/may.csv", "old/**", True),
        ("reviews/old/may.csv", "old/**", False),
        ("reviews/old/may.csv", "**/old/**", True),
        ("may.csv", "*.bak.csv", False),
    ],
)
def test_the_operators_patterns(path: str, pattern: str, ignored: bool) -> None:  # a case of the table
    assert is_never_taken(path, [pattern]) is ignored
