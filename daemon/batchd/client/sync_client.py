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
    """Calls a daemon at an address, `http://127.0.0.1:8321` or `unix:/run/batchd/web.sock`; or one of its own.

    `batchd web token` makes a `token`. By default, the client takes the one in the environment variable BATCHD_TOKEN.
    Close the client at the end, or use it in a `with` block.

    With `folder`, which has a `config.toml`, the client starts a daemon on the folders of that configuration. It does
    what `batchd run` does, and ends with the client. If another daemon has the folders, StateLocked says how to use it.
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
        """Estimate what these rows would cost. Nothing is sent to the provider."""
        with file_of(rows, name) as file:
            return self._core.loop.run(self._core.estimate(file, route))

    def submit(self, rows: RowsLike, *, route: str | None = None, name: str | None = None) -> SubmittedJob:
        """Send rows: dictionaries, a DataFrame, or the path of a file here, whose bytes are sent.

        `name` is the file's name in the inbox; a name that is taken there gets ` (2)`. Without `route`, the daemon must
        have only one. Returns at once: `wait()` for the job.
        """
        with file_of(rows, name) as file:
            return SubmittedJob(self._core, self._core.loop.run(self._core.submit(file, route)))

    def job(self, word: str) -> SubmittedJob:
        """Find a job by its id, the beginning of its id, or the name of its file."""
        return SubmittedJob(self._core, self._core.loop.run(self._core.job(word)))

    def jobs(self, text: str = "") -> list[JobStatus]:
        """The status of each job that has `text` in the name of its file, at most 200: those under way first."""
        return self._core.loop.run(self._core.jobs(text))

    def close(self) -> None:
        """Close the client. A daemon of its own ends cleanly; jobs go on when the next one starts."""
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
        """The job's status now."""
        return self._core.loop.run(self._core.status(self._key))

    def wait(self, timeout: float | None = None, *, when_held: WhenHeld = "raise") -> JobStatus:
        """Wait until the job is finished, and return its status. A batch may take a day.

        Raises JobWasRejected, JobStopped or JobIsHeld if the job does not finish by itself, and WaitedTooLong after
        `timeout` seconds. With `when_held="wait"` it waits for the person, too. A daemon that is restarted meanwhile
        may be away for a minute.
        """
        return self._core.loop.run(self._core.wait(self._key, timeout, when_held))

    def wait_for_id(self, timeout: float = 60.0) -> str:
        """Return the job's id once the daemon has taken its file. Raises WaitedTooLong after `timeout` seconds."""
        return self._core.loop.run(self._core.taken(self._key, timeout))

    def results(self, offset: int = 0) -> AnsweredRows:
        """The rows of the finished job with their answers, without the first `offset`."""
        return AnsweredRows(self._core, self._key, offset)

    def approve(self, up_to: str | None = None) -> str:
        """Let a held job go on. It may cost `up_to` in all, or by default the most that it can cost."""
        return self._order("approve", {} if up_to is None else {"up_to": up_to})

    def cancel(self) -> str:
        """Cancel the job. The answers that are there already are delivered."""
        return self._order("cancel", {})

    def retry(self) -> str:
        """Ask the job's failed and skipped rows again."""
        return self._order("retry", {})

    def _order(self, kind: str, values: dict[str, str]) -> str:
        return self._core.loop.run(self._core.order(self._key, kind, values))


class AnsweredRows(RowsHandle, Iterable[AnsweredRow]):
    """The rows of a job in the order of the file. Each iteration fetches them over the network again.

    Rows arrive some at a time. The iteration goes on where it was if the daemon is away for less than a minute.
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
        """As `to_list`, but as a pandas DataFrame."""
        return pandas_frame(self)

    def to_polars(self) -> pl.DataFrame:
        """As `to_list`, but as a polars DataFrame."""
        return polars_frame(self)
