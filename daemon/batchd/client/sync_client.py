"""The client for programs and notebooks without `await`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Self

from .core import Core, JobHandle, RowsHandle, WhenHeld, next_of
from .tables import RowsLike, file_of, pandas_frame, polars_frame
from .values import AnsweredRow, CostEstimate, JobStatus

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl


class Client:
    """A daemon that runs at an address, `http://127.0.0.1:8321` or `unix:/run/batchd/web.sock`; or one of its own.

    `token` is one of `batchd web token`; without it, that of the environment variable BATCHD_TOKEN. Close the client at
    the end, or use it in a `with` block.

    With `folder`, which has a `config.toml`, it starts a daemon on the folders of that configuration, which does what
    `batchd run` does and ends with the client. StateLocked, if another daemon has them, says how to use that one.
    """

    def __init__(
        self, address: str | None = None, *, token: str | None = None, folder: str | os.PathLike[str] | None = None
    ) -> None:
        self._core = Core(address, token, folder)
        try:
            self._core.loop.run(self._core.opened())
        except BaseException:
            self.close()
            raise

    def routes(self) -> list[str]:
        """The names of the routes."""
        return self._core.loop.run(self._core.routes())

    def estimate(self, rows: RowsLike, *, route: str | None = None, name: str | None = None) -> CostEstimate:
        """What these rows would cost. Nothing is asked."""
        with file_of(rows, name) as file:
            return self._core.loop.run(self._core.estimate(file, route))

    def submit(self, rows: RowsLike, *, route: str | None = None, name: str | None = None) -> SubmittedJob:
        """Send rows: dictionaries, a DataFrame, or the path of a file here, whose bytes are sent.

        `name` is what the file is called in the inbox; a name that is taken there gets ` (2)`. Without `route` there
        must be one only. Returns at once: `wait()` for the job.
        """
        with file_of(rows, name) as file:
            return SubmittedJob(self._core, self._core.loop.run(self._core.submit(file, route)))

    def job(self, word: str) -> SubmittedJob:
        """A job of before: by its id, the beginning of one, or the name of its file."""
        return SubmittedJob(self._core, self._core.loop.run(self._core.job(word)))

    def jobs(self, text: str = "") -> list[JobStatus]:
        """How the jobs stand that have this in the name of their file, at most 200: those under way first."""
        return self._core.loop.run(self._core.jobs(text))

    def close(self) -> None:
        """Close it. A daemon of our own ends in good order; jobs go on when the next one starts."""
        if not self._core.loop.closed:
            self._core.loop.run(self._core.close())
            self._core.loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class SubmittedJob(JobHandle):
    """A job that was sent, or that was there before."""

    def status(self) -> JobStatus:
        """How it stands now."""
        return self._core.loop.run(self._core.status(self._key))

    def wait(self, timeout: float | None = None, *, when_held: WhenHeld = "raise") -> JobStatus:
        """Its status once it is finished, however long that takes; a batch may take a day.

        Raises JobWasRejected, JobStopped or JobIsHeld if it does not get there by itself, and WaitedTooLong after
        `timeout` seconds. With `when_held="wait"` it waits for the person, too. A daemon that is started again
        meanwhile may be away for a minute.
        """
        return self._core.loop.run(self._core.wait(self._key, timeout, when_held))

    def wait_for_id(self, timeout: float = 60.0) -> str:
        """Its id, once the daemon has taken its file from the inbox; WaitedTooLong if it has not."""
        return self._core.loop.run(self._core.taken(self._key, timeout))

    def results(self, offset: int = 0) -> AnsweredRows:
        """Its rows with their answers, once it is finished, but for the first `offset`."""
        return AnsweredRows(self._core, self._key, offset)

    def approve(self, up_to: str | None = None) -> str:
        """Let it go on if it is held: it may cost so much in all, or what it can cost at most."""
        return self._order("approve", {} if up_to is None else {"up_to": up_to})

    def cancel(self) -> str:
        """Ask nothing more of it; what is answered is delivered."""
        return self._order("cancel", {})

    def retry(self) -> str:
        """Ask its failed and skipped rows again."""
        return self._order("retry", {})

    def _order(self, kind: str, values: dict[str, str]) -> str:
        return self._core.loop.run(self._core.order(self._key, kind, values))


class AnsweredRows(RowsHandle, Iterable[AnsweredRow]):
    """The rows of a job in the order of the file. They come over the network each time that you go through them.

    They come some at a time, and go on where they were if the daemon is away for less than a minute meanwhile.
    """

    def __iter__(self) -> Iterator[AnsweredRow]:
        run, pieces = self._core.loop.run, self._pieces()
        try:
            while (piece := run(next_of(pieces))) is not None:
                yield from piece
        finally:
            run(pieces.aclose())

    def to_list(self) -> list[dict[str, Any]]:
        """Each row as a dictionary: your columns, the answer's, `status` and `error`."""
        return [row.as_dict() for row in self]

    def to_pandas(self) -> pd.DataFrame:
        """The same as a DataFrame of pandas."""
        return pandas_frame(self)

    def to_polars(self) -> pl.DataFrame:
        """The same as a DataFrame of polars."""
        return polars_frame(self)
