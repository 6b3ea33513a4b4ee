"""batchd: drop a file of rows into a folder; get it back with a language model's answers.

Plugins import from here and from no other module of the daemon.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"

if TYPE_CHECKING:
    from .answers.meaning import read_output_line as read_output_line
    from .archives import Archive as Archive
    from .archives import UnpackLimits as UnpackLimits
    from .bodies.thinking import without_thinking as without_thinking
    from .bodies.usage import read_usage as read_usage
    from .calls import BatchesFound as BatchesFound
    from .calls import FindsBatches as FindsBatches
    from .calls import LiveAnswer as LiveAnswer
    from .calls import LiveCall as LiveCall
    from .columns import cell_text as cell_text
    from .columns import column_names as column_names
    from .columns import free_names as free_names
    from .columns import unique_names as unique_names
    from .contracts import BatchProvider as BatchProvider
    from .contracts import DeliveryJob as DeliveryJob
    from .contracts import LiveProvider as LiveProvider
    from .contracts import Observer as Observer
    from .contracts import Outbox as Outbox
    from .contracts import PromptBuilder as PromptBuilder
    from .contracts import Reader as Reader
    from .contracts import Receipt as Receipt
    from .contracts import RemoteBatch as RemoteBatch
    from .contracts import ResultRow as ResultRow
    from .contracts import ResultRows as ResultRows
    from .contracts import Settings as Settings
    from .contracts import Sink as Sink
    from .contracts import Source as Source
    from .contracts import Submission as Submission
    from .errors import BatchdError as BatchdError
    from .errors import CannotFind as CannotFind
    from .errors import ConfigError as ConfigError
    from .errors import FileRefused as FileRefused
    from .errors import NodeLost as NodeLost
    from .errors import NotKnownYet as NotKnownYet
    from .errors import NotSent as NotSent
    from .errors import PluginError as PluginError
    from .errors import ProviderError as ProviderError
    from .errors import RejectedError as RejectedError
    from .errors import RemoteMissing as RemoteMissing
    from .errors import SubmissionRefused as SubmissionRefused
    from .errors import TooManyCalls as TooManyCalls
    from .errors import TransientError as TransientError
    from .errors import WorkerLost as WorkerLost
    from .events import Event as Event
    from .executor import Executor as Executor
    from .executor import Hello as Hello
    from .executor import Node as Node
    from .file_sink import FileSink as FileSink
    from .file_sink import Shape as Shape
    from .hookspecs import Register as Register
    from .hookspecs import hookimpl as hookimpl
    from .http.bounded_answers import HTTP_ERRORS as HTTP_ERRORS
    from .http.bounded_answers import AnswerTooLarge as AnswerTooLarge
    from .http.bounded_answers import BoundedAnswers as BoundedAnswers
    from .http.bounded_answers import arriving as arriving
    from .http.faults import NetworkFault as NetworkFault
    from .http.headers import retry_after as retry_after
    from .http.records import read_count as read_count
    from .http.records import read_id as read_id
    from .http.records import read_moment as read_moment
    from .http.records import read_problems as read_problems
    from .http.retrying import Pacing as Pacing
    from .http.retrying import with_retries as with_retries
    from .http.services import CallKind as CallKind
    from .http.services import HttpAnswer as HttpAnswer
    from .http.services import HttpCall as HttpCall
    from .http.services import HttpService as HttpService
    from .http.settings import HeaderValues as HeaderValues
    from .http.settings import HttpSettings as HttpSettings
    from .http.signed_posts import SignedPost as SignedPost
    from .http.signed_posts import SignedPostSettings as SignedPostSettings
    from .http.signed_posts import signature as signature
    from .installation import Installation as Installation
    from .model import BadRow as BadRow
    from .model import BatchPhase as BatchPhase
    from .model import BatchStatus as BatchStatus
    from .model import Body as Body
    from .model import Dialect as Dialect
    from .model import Failure as Failure
    from .model import Json as Json
    from .model import Limits as Limits
    from .model import Problem as Problem
    from .model import Purged as Purged
    from .model import RequestId as RequestId
    from .model import Response as Response
    from .model import Result as Result
    from .model import Row as Row
    from .model import RowStatus as RowStatus
    from .model import Usage as Usage
    from .optional_packages import OptionalPackage as OptionalPackage
    from .paged_sink import Page as Page
    from .paged_sink import PagedSink as PagedSink
    from .plugin.http_providers import HttpBatchProvider as HttpBatchProvider
    from .plugin.http_providers import HttpLiveProvider as HttpLiveProvider
    from .rates import CallRate as CallRate
    from .requests.json_lines import read_json_line as read_json_line
    from .requests.json_lines import read_json_together as read_json_together
    from .requests.rules import request_failure as request_failure
    from .secrets.known import covered as covered
    from .sending.whose_fault import account_advice as account_advice
    from .sending.whose_fault import refuses_row as refuses_row
    from .settings import Duration as Duration
    from .settings import FromFile as FromFile
    from .settings import Secret as Secret
    from .shipped_services import service_tables as service_tables
    from .workers.local import Workers as Workers
    from .workers.nodes import describe_node as describe_node
    from .workers.run_task import run_task as run_task

_HOMES = {
    "answers.meaning": "read_output_line",
    "archives": "Archive UnpackLimits",
    "http.bounded_answers": "HTTP_ERRORS AnswerTooLarge BoundedAnswers arriving",
    "bodies.thinking": "without_thinking",
    "bodies.usage": "read_usage",
    "calls": "BatchesFound FindsBatches LiveAnswer LiveCall",
    "columns": "cell_text column_names free_names unique_names",
    "contracts": (
        "BatchProvider DeliveryJob LiveProvider Observer Outbox PromptBuilder Reader Receipt RemoteBatch ResultRow "
        "ResultRows Settings Sink Source Submission"
    ),
    "rates": "CallRate",
    "requests.json_lines": "read_json_line read_json_together",
    "requests.rules": "request_failure",
    "workers.local": "Workers",
    "workers.nodes": "describe_node",
    "workers.run_task": "run_task",
    "errors": (
        "BatchdError CannotFind ConfigError FileRefused NodeLost NotKnownYet NotSent PluginError ProviderError "
        "RejectedError RemoteMissing SubmissionRefused TooManyCalls TransientError WorkerLost"
    ),
    "events": "Event",
    "executor": "Executor Hello Node",
    "file_sink": "FileSink Shape",
    "hookspecs": "Register hookimpl",
    "http.headers": "retry_after",
    "plugin.http_providers": "HttpBatchProvider HttpLiveProvider",
    "http.services": "CallKind HttpAnswer HttpCall HttpService",
    "http.settings": "HeaderValues HttpSettings",
    "installation": "Installation",
    "model": (
        "BadRow BatchPhase BatchStatus Body Dialect Failure Json Limits Problem Purged RequestId Response Result "
        "Row RowStatus Usage"
    ),
    "http.faults": "NetworkFault",
    "optional_packages": "OptionalPackage",
    "paged_sink": "Page PagedSink",
    "http.records": "read_count read_id read_moment read_problems",
    "http.retrying": "Pacing with_retries",
    "secrets.known": "covered",
    "sending.whose_fault": "account_advice refuses_row",
    "shipped_services": "service_tables",
    "settings": "Duration FromFile Secret",
    "http.signed_posts": "SignedPost SignedPostSettings signature",
}
"""Module to the names that plugins import from it: the same imports as above, for use at run time."""
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = [*sorted(_HOME_OF), "__version__"]


def __getattr__(name: str) -> Any:
    # Lazy: `batchd status` starts in less time than the import of pydantic takes.
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'batchd' has no attribute {name!r}")
    return getattr(import_module(f"batchd.{home}"), name)
