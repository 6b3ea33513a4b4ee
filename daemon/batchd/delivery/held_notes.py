"""The notes in the held folder: one for each job that waits for money or a person. Renaming a note approves its job."""

from __future__ import annotations

from itertools import count
from pathlib import Path

from ..domain.names import numbered_file
from ..domain.records import Job
from ..domain.states import USELESS
from ..files import Rights, fsync_folder, make_folder, publishing
from ..money.budget import PRICE_UNKNOWN, waits_for_money
from ..people.language import ENGLISH, Language
from ..people.reasons import reason_in
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


def held_text(
    job: Job, *, by_renaming: bool, answers: str | None = None, empty: int = 0, language: Language = ENGLISH
) -> str:
    """The text of a note: why the job is held, and what to do. `by_renaming` if renaming the note approves it.

    `answers` are some answers of the job's pilot, if that is why it is held. `empty` rows are not asked in any case.
    """
    say = language.say
    because = say("held.because", reason=reason_in(f"{job.reason}.", language.code))
    skipped = [say("held.empty", empty=empty)] if empty else []
    approve = say("held.or_ask" if by_renaming else "held.ask", command=f"batchd approve {job.id}")
    cancel = f"batchd cancel {job.id}"
    of_answers = answers is not None or job.reason_code == USELESS
    to_approve = [approve]
    if by_renaming:
        to_approve.insert(0, say("held.rename" if of_answers else "held.rename_cost"))
    to_cancel = say("held.back", command=cancel)
    if answers is not None:
        head = say("held.pilot", file=job.source)
        middle = [*skipped, say("held.first_answers"), answers.rstrip("\n"), say("held.if_good")]
        to_cancel = say("held.if_not", command=cancel) + "\n" + say("held.delivered")
    elif job.reason_code == USELESS:
        head = say("held.useless", file=job.source)
        middle = [say("held.if_fixed", command=f"batchd retry {job.id}")]
        to_approve.insert(0, say("held.if_right"))
    else:
        if job.parent is None:
            head = say("held.waits", file=job.source)
        else:
            head = say("held.waits_for_step", file=job.source, step=job.route.name)
        if job.reason_code == PRICE_UNKNOWN:
            middle = [*skipped, say("held.until_price")]
        else:
            middle = [*skipped, say("held.until_money" if waits_for_money(job.reason_code) else "held.go_on")]
    return "\n\n".join([head, because, *middle, "\n".join(to_approve), to_cancel, say("held.disappears")]) + "\n"
