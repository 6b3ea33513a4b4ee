"""Use batchd from Python: estimate, submit, wait, results. Calls a running daemon, or starts one of its own.

>>> from batchd.client import Client
>>> with Client("http://127.0.0.1:8321", token="...") as client:  # doctest: +SKIP
...     job = client.submit([{"review": "Arrived in two days."}], route="reviews")
...     job.wait()
...     for row in job.results():
...         print(row.answer)
"""

from __future__ import annotations

from ..errors import ConfigError as ConfigError
from ..errors import StateLocked as StateLocked
from .async_client import AsyncAnsweredRows as AsyncAnsweredRows
from .async_client import AsyncClient as AsyncClient
from .async_client import AsyncSubmittedJob as AsyncSubmittedJob
from .errors import ClientError as ClientError
from .errors import JobIsHeld as JobIsHeld
from .errors import JobStopped as JobStopped
from .errors import JobTrouble as JobTrouble
from .errors import JobWasRejected as JobWasRejected
from .errors import NoSuchJob as NoSuchJob
from .errors import NoSuchRoute as NoSuchRoute
from .errors import NotAllowed as NotAllowed
from .errors import NothingToSend as NothingToSend
from .errors import NotReachable as NotReachable
from .errors import PackageMissing as PackageMissing
from .errors import RequestRefused as RequestRefused
from .errors import WaitedTooLong as WaitedTooLong
from .sync_client import AnsweredRows as AnsweredRows
from .sync_client import Client as Client
from .sync_client import SubmittedJob as SubmittedJob
from .values import AnsweredRow as AnsweredRow
from .values import CostEstimate as CostEstimate
from .values import JobStatus as JobStatus
from .values import RowFailure as RowFailure
