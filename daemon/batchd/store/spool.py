"""The folder tree that the daemon owns. Names here are ours: a user's file name is never part of a path.

`jobs`, `batches` and `tries` lie in the spool, which is the state folder unless the configuration names one on a file
system that other machines see as well. SQLite stays on this machine.

state/lock                                   held while a daemon runs
state/batchd.db
state/fingerprint.key                        random, made once: keys the fingerprints of accounts
state/answers.db                             answers that may be reused; may be deleted at any time
state/ahead.db                               answers to rows that were asked ahead, by a try or a pilot; may be deleted
state/steps.db                               answers of later steps, for files that are dropped again; may be deleted
spool/ahead-ahead-<version>.db               copies of these for other machines, where the spool lies elsewhere
state/tries/<job>.jsonl                      the rows of a try that is ordered and not begun
state/jobs/<job>/source                      the dropped file, byte for byte
state/jobs/<job>/name                        its path in the inbox, for `batchd state adopt` where the database is lost
state/jobs/<job>/rows.jsonl                  its rows in the one canonical form
state/jobs/<job>/origins                     of a later step of a chain: for each row, its row in the step before
state/jobs/<job>/pictures/<hash>             the pictures that its rows name, as they were when the job read them
state/jobs/<job>/parts/<first>.requests.<attempt>.jsonl
state/jobs/<job>/parts/<first>.keys.<attempt>
state/jobs/<job>/parts/<first>.prints.<attempt>   what each of its rows asks, in short, to compare parts
state/jobs/<job>/parts/<first>.follows       which rows ask the same as a row of another part, and follow it
state/jobs/<job>/leaders                     what the rows of its pilot ask, for the rows that are asked later
state/jobs/<job>/parts/<first>.corrections.<attempt>   what was wrong with the earlier answers
state/jobs/<job>/parts/<first>.answers.<attempt>.jsonl   copies of lines out of a batch with several jobs
state/jobs/<job>/parts/<first>.answers.<attempt>.index   where its lines are in the answers of a batch for this job
state/jobs/<job>/parts/answers.<key>.jsonl   these answers: a second name of the downloaded file
state/jobs/<job>/parts/<first>.results.<version>.jsonl
state/jobs/<job>/parts/<first>.piece.<version>.<n><suffix>  the part's share of a file of the n-th sink
state/jobs/<job>/pilot.csv, pilot.txt        the answers of its pilot, as people get them
state/batches/<key>/batchd-<key>.jsonl       what is uploaded: the requests of its parts; for one part, a hard link
state/batches/<key>/journal.jsonl            what live calls were made, and what was answered
state/batches/<key>/answers.jsonl            what was downloaded
state/batches/<key>/answers.index            where the lines of each part are in answers.jsonl, if it was indexed
state/batches/<key>/orderly.jsonl            the same answers, a line for each, if they came in another form
state/batches/<key>/strays.jsonl             lines that belong to no row of ours
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..domain.records import Job, Part
from ..domain.rows import Run
from ..errors import StateLocked
from ..files import fsync_folder, make_folder, replacing
from ..secrets.fingerprint import KEY_BYTES
from .layout import DATABASE, FINGERPRINT_KEY, LOCK
from .shared_spool import require, take


def _own(descriptor: int) -> bool:
    """Take the lock, if it is free. `batchd status` holds it for some microseconds at times, so try more than once."""
    for pause in (0.01, 0.03, 0.1, None):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if pause is not None:
                time.sleep(pause)
        else:
            return True
    return False


class Spool:
    """Paths in the state folder, and in the spool: `shared`, or the state folder. `database` is the SQLite file."""

    def __init__(self, state: Path, shared: Path | None = None) -> None:
        self.state = state
        self.root = shared or state
        self.database = state / DATABASE
        # These may be deleted at any time: they hold answers that may be reused, answers to rows that were asked ahead,
        # and answers of later steps of chains, for files that are dropped again.
        self.answer_cache = state / "answers.db"
        self.answers_ahead = state / "ahead.db"
        self.answers_of_steps = state / "steps.db"
        # A string: strings are put together several times as fast as paths.
        self._jobs = f"{self.root}/jobs"
        self._fingerprint_key: bytes | None = None

    def fingerprint_key(self) -> bytes:
        """The random key of this state folder's fingerprints; made by the first call."""
        path = self.state / FINGERPRINT_KEY
        if self._fingerprint_key is None and path.exists():
            self._fingerprint_key = path.read_bytes()
        if self._fingerprint_key is None or len(self._fingerprint_key) != KEY_BYTES:
            self._fingerprint_key = secrets.token_bytes(KEY_BYTES)
            with replacing(path, mode=0o600) as file:
                file.write(self._fingerprint_key)
        return self._fingerprint_key

    def job(self, job: str) -> Path:
        """The folder of one job."""
        return Path(f"{self._jobs}/{job}")

    def source(self, job: str) -> Path:
        """The dropped file."""
        return Path(f"{self._jobs}/{job}/source")

    def name(self, job: str) -> Path:
        """The dropped file's path in the inbox, as bytes. Only for people who have lost the database."""
        return Path(f"{self._jobs}/{job}/name")

    def asked_ahead(self, job: str) -> Path:
        """The rows of a try, from when a person orders it until the daemon has begun it."""
        return self.root / "tries" / f"{job}.jsonl"

    def pictures_ahead(self, job: str) -> Path:
        """The pictures that came with these rows in an archive."""
        return self.root / "tries" / f"{job}.pictures"

    def rows(self, job: str) -> Path:
        """The rows of the job."""
        return Path(f"{self._jobs}/{job}/rows.jsonl")

    def requests(self, part: Part) -> Path:
        """The request lines of the part's current attempt."""
        return self._part(part, f"requests.{part.attempt}")

    def keys(self, part: Part) -> Path:
        """The keys of the part's requests, where answers are reused."""
        return Path(f"{self._jobs}/{part.job}/parts/{part.first}.keys.{part.attempt}")

    def prints(self, part: Part) -> Path:
        """What each of the part's rows asks, in short."""
        return Path(f"{self._jobs}/{part.job}/parts/{part.first}.prints.{part.attempt}")

    def follows(self, part: Part) -> Path:
        """Which rows of the part follow a row of another one."""
        return Path(f"{self._jobs}/{part.job}/parts/{part.first}.follows")

    def follows_pattern(self, job: str) -> str:
        """Where `follows` of pieces of a part go: a path with `{first}` in it."""
        return f"{self.job(job)}/parts/{{first}}.follows"

    def leaders(self, job: str) -> Path:
        """What those rows ask that are sent before other parts of the job are planned."""
        return Path(f"{self._jobs}/{job}/leaders")

    def forget_follows(self, job: str) -> None:
        """Remove `leaders` and all `follows`, because the job's open rows are asked and compared anew."""
        self.leaders(job).unlink(missing_ok=True)
        for file in (self.job(job) / "parts").glob("*.follows"):
            file.unlink(missing_ok=True)

    def corrections(self, part: Part, attempt: int | None = None) -> Path:
        """What the model is told about rows of the part, in its current attempt or in `attempt`."""
        return Path(f"{self._jobs}/{part.job}/parts/{part.first}.corrections.{attempt or part.attempt}")

    def corrections_pattern(self, part: Part) -> str:
        """Where the corrections of pieces of the part go: a path with `{first}` in it."""
        return f"{self._jobs}/{part.job}/parts/{{first}}.corrections.{part.attempt}"

    def origins(self, job: str) -> Path:
        """For each row of a later step of a chain, its row in the step before."""
        return Path(f"{self._jobs}/{job}/origins")

    def pictures(self, job: str) -> Path:
        """Copies of the pictures that the job's rows name."""
        return Path(f"{self._jobs}/{job}/pictures")

    def answers(self, part: Part) -> Path:
        """The provider's lines for the part's current attempt."""
        return self._part(part, f"answers.{part.attempt}")

    def kept_answers(self, job: str, batch: str) -> Path:
        """The downloaded answers of a batch of this job alone. Kept as long as the job, whose results refer to them."""
        return Path(f"{self._jobs}/{job}/parts/answers.{batch}.jsonl")

    def all_kept_answers(self, job: str) -> Iterator[Path]:
        """The kept answers of all batches of the job."""
        return (self.job(job) / "parts").glob("answers.*.jsonl")

    def results(self, part: Part, version: int | None = None) -> Path:
        """The outcomes of the part's rows so far, in the valid version or in `version`."""
        return self._part(part, f"results.{part.results if version is None else version}")

    def results_pattern(self, part: Part, version: int) -> str:
        """Where the results of pieces of the part go: a path with `{first}` in it."""
        return f"{self._jobs}/{part.job}/parts/{{first}}.results.{version}.jsonl"

    def piece(self, part: Part, sink: int, version: int, *, generation: int) -> str:
        """Where the part's share of the files of the job's n-th sink goes: a path to append their suffixes to.

        It depends on the version of the part's results, and on the generation of the configuration that makes it.
        """
        return f"{self._jobs}/{part.job}/parts/{part.first}.piece.{version}.{sink}.{generation}"

    def pilot(self, job: str) -> Path:
        """The answers of the job's pilot as people get them."""
        return Path(f"{self._jobs}/{job}/pilot.csv")

    def pilot_words(self, job: str) -> Path:
        """Some of the pilot's answers, for the note about the job."""
        return Path(f"{self._jobs}/{job}/pilot.txt")

    def review(self, job: str) -> Path:
        """The sample of answers for people to check."""
        return Path(f"{self._jobs}/{job}/review.csv")

    def summary(self, part: Part, version: int) -> Path:
        """What the part's answers are like, by the version of its results."""
        return Path(f"{self._jobs}/{part.job}/parts/{part.first}.piece.{version}.summary")

    def pieces(self, job: str) -> Iterator[Path]:
        """All pieces of the job's files, and the summaries of its parts."""
        return (self.job(job) / "parts").glob("*.piece.*")

    def run(self, job: Job, part: Part) -> Run:
        """The part's rows and outcomes, to be joined."""
        return Run(
            rows=str(self.rows(job.id)),
            offset=part.offset,
            length=part.length,
            first=part.first,
            number=part.rows,
            columns=list(job.columns),
            results=str(self.results(part)) if part.results else None,
            cancelled=job.cancelled,
        )

    def batch(self, key: str) -> Path:
        """The folder of one batch."""
        return self.root / "batches" / key

    def batch_input(self, key: str) -> Path:
        """The file of requests that is uploaded."""
        return self.batch(key) / f"batchd-{key}.jsonl"

    def batch_answers(self, key: str) -> Path:
        """The downloaded answers."""
        return self.batch(key) / "answers.jsonl"

    def batch_journal(self, key: str) -> Path:
        """The journal of its live calls."""
        return self.batch(key) / "journal.jsonl"

    def batch_strays(self, key: str) -> Path:
        """Downloaded lines that belong to no row of ours."""
        return self.batch(key) / "strays.jsonl"

    def make_job(self, job: str, *, synced: bool = True) -> None:
        """Make the folders of a job, durably. If not `synced`, the caller syncs what is in the job's folder."""
        folder = self.job(job)
        self._make(folder)
        parts = folder / "parts"
        if not parts.is_dir():
            parts.mkdir(mode=0o700, exist_ok=True)
            if synced:
                fsync_folder(folder)

    def make_batch(self, key: str) -> None:
        """Make the folder of a batch, durably."""
        self._make(self.batch(key))

    def remove_job(self, job: str) -> None:
        """Remove all files of a job, for good."""
        self.require()
        shutil.rmtree(self.job(job), ignore_errors=True)

    def remove_batch(self, key: str) -> None:
        """Remove the files that a batch no longer needs; strays stay, for a person to look at."""
        self.require()
        answers = self.batch_answers(key)
        looked_through = (answers.with_suffix(".index"), answers.with_name("orderly.jsonl"))
        for file in (self.batch_input(key), answers, *looked_through, self.batch_journal(key)):
            file.unlink(missing_ok=True)
        if not self.batch_strays(key).exists():
            shutil.rmtree(self.batch(key), ignore_errors=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Own the state folder for as long as the block runs. Raise StateLocked, which names the process that has it.

        The kernel gives the lock back when its holder dies, however it dies; so there is no stale lock.
        """
        make_folder(self.state, mode=0o700)
        path = self.state / LOCK
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if not _own(descriptor):
                holder = os.pread(descriptor, 100, 0).decode("ascii", "replace").strip() or "unknown"
                raise StateLocked(
                    f"Another batchd (process {holder}) works on {self.state}. Two would pay twice, so this one "
                    "leaves it alone. Stop the other first, or give this one its own [folders] state."
                )
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            fsync_folder(self.state)
            take(self.state, self.root)
            yield
        finally:
            os.close(descriptor)

    def require(self) -> None:
        """Raise OSError with a reason unless the spool is there. One on another file system may go at any time."""
        require(self.state, self.root)

    def _make(self, folder: Path) -> None:
        """Make the folder, unless the spool is gone: nothing is made below an empty mount point."""
        self.require()
        if self.root == self.state:
            make_folder(folder.parent, mode=0o700)
        if not folder.is_dir():
            folder.mkdir(mode=0o700, exist_ok=True)
            fsync_folder(folder.parent)

    def _part(self, part: Part, kind: str) -> Path:
        return Path(f"{self._jobs}/{part.job}/parts/{part.first}.{kind}.jsonl")
