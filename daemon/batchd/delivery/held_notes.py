"""The notes in the held folder: one for each job that waits for money or a person. Renaming a note approves its job."""

from __future__ import annotations

from itertools import count
from pathlib import Path

from ..domain.names import numbered_file
from ..domain.records import Job
from ..events import count as how_many
from ..files import Rights, fsync_folder, make_folder, publishing
from ..money.budget import PRICE_UNKNOWN, waits_for_money
from .outbox import require_folder

_HELD, _APPROVED = ".held.txt", ".approved.txt"


class HeldNotes:
    """The folder of the notes. `mounted` are the folders that were mount points at the start."""

    def __init__(self, folder: Path, *, mounted: frozenset[Path]) -> None:
        self._folder = folder
        self._mounted = mounted

    def write(self, source: str, text: bytes, rights: Rights | None = None) -> str:
        """Write a note about the file. Returns its name: the first that is free or has the same text already.

        Raises OSError if the folder is missing, or cannot be written to.
        """
        require_folder(self._folder, mounted=self._mounted)
        for number in count(1):
            name = f"{numbered_file(source, number)}{_HELD}"
            make_folder((self._folder / name).parent, rights=rights)
            try:
                with publishing(self._folder / name, rights=rights) as file:
                    file.write(text)
            except FileExistsError:
                continue
            return name
        raise AssertionError("there is always another number")

    def approval(self, note: str) -> str | None:
        """The note's new name, if a person has renamed it to approve the job; else None."""
        renamed = self._renamed(note)
        return renamed.name if renamed.exists() else None

    def is_gone(self, note: str) -> bool:
        """Whether a person has deleted the note. False if the whole folder is missing at the moment."""
        try:
            require_folder(self._folder, mounted=self._mounted)
        except OSError:
            return False
        return not (self._folder / note).exists()

    def take_away(self, note: str) -> None:
        """Remove the note, renamed or not."""
        path = self._folder / note
        for each in (path, self._renamed(note)):
            each.unlink(missing_ok=True)
        if path.parent.is_dir():
            fsync_folder(path.parent)

    def _renamed(self, note: str) -> Path:
        return self._folder / f"{note.removesuffix(_HELD)}{_APPROVED}"


def held_text(job: Job, *, by_renaming: bool, answers: str | None = None, empty: int = 0) -> str:
    """The text of a note: why the job is held, and what to do. `by_renaming` if renaming the note approves it.

    `answers` are some of those of the job's pilot, if that is why it is held. `empty` rows are not asked in any case.
    """
    skipped = f"{how_many(empty, 'row')} with nothing to ask about will be skipped.\n\n" if empty else ""
    if answers is not None:
        return _pilot_text(job, by_renaming=by_renaming, answers=answers, skipped=skipped)
    if job.reason_code == PRICE_UNKNOWN:
        what = "It goes on by itself when the price is in the configuration. To let it go on now, at any cost:"
    elif waits_for_money(job.reason_code):
        what = "It goes on by itself when there is room in the budget. To let it go on now:"
    else:
        what = "To let it go on:"
    rename = ""
    if by_renaming:
        rename = (
            "- Rename this note: write approved in place of held, so that its name ends in .approved.txt. That allows "
            "the cost above.\n"
        )
    return (
        f"{_what_waits(job)}\n\n"
        f"Why: {job.reason}.\n\n{skipped}"
        f"{what}\n\n"
        f"{rename}- {'Or ask' if by_renaming else 'Ask'} the operator for: batchd approve {job.id}\n\n"
        f"To get the file back without answers, ask the operator for: batchd cancel {job.id}\n\n"
        "This note disappears when the job goes on.\n"
    )


def _what_waits(job: Job) -> str:
    if job.parent is None:
        return f"{job.source} has arrived and waits. Nothing was sent, nothing is lost."
    return f"{job.source} waits before its next step, {job.route.name}. Nothing of that was sent, nothing is lost."


def _pilot_text(job: Job, *, by_renaming: bool, answers: str, skipped: str) -> str:
    rename = ""
    if by_renaming:
        rename = "- Rename this note: write approved in place of held, so that its name ends in .approved.txt.\n"
    return (
        f"Some rows of {job.source} were asked first, so that you can look at the answers. The others wait.\n\n"
        f"Why: {job.reason}.\n\n{skipped}"
        f"The first of the answers:\n\n{answers}\n"
        "If they are good, let the other rows be asked. What is answered is not asked again:\n\n"
        f"{rename}- {'Or ask' if by_renaming else 'Ask'} the operator for: batchd approve {job.id}\n\n"
        "If they are not, ask the operator to change the question, and to give this job up: "
        f"batchd cancel {job.id}\n"
        "The answers that are there are delivered then; the other rows cost nothing.\n\n"
        "This note disappears when the job goes on.\n"
    )
