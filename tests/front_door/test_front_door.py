"""What plugins import: these names and no others, at the price of a blink."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

import batchd

PUBLIC = [
    "AnswerTooLarge",
    "Archive",
    "BadRow",
    "BatchPhase",
    "BatchProvider",
    "BatchStatus",
    "BatchdError",
    "BatchesFound",
    "Body",
    "BoundedAnswers",
    "CallKind",
    "CallRate",
    "CannotFind",
    "ConfigError",
    "DeliveryJob",
    "Dialect",
    "Duration",
    "Event",
    "Executor",
    "Failure",
    "FileRefused",
    "FileSink",
    "FindsBatches",
    "FromFile",
    "HTTP_ERRORS",
    "HeaderValues",
    "Hello",
    "HttpAnswer",
    "HttpBatchProvider",
    "HttpCall",
    "HttpLiveProvider",
    "HttpService",
    "HttpSettings",
    "Installation",
    "Json",
    "Limits",
    "LiveAnswer",
    "LiveCall",
    "LiveProvider",
    "NetworkFault",
    "Node",
    "NodeLost",
    "NotKnownYet",
    "NotSent",
    "Observer",
    "OptionalPackage",
    "Outbox",
    "Pacing",
    "Page",
    "PagedSink",
    "PluginError",
    "Problem",
    "PromptBuilder",
    "ProviderError",
    "Purged",
    "Reader",
    "Receipt",
    "Register",
    "RejectedError",
    "RemoteBatch",
    "RemoteMissing",
    "RequestId",
    "Response",
    "Result",
    "ResultRow",
    "ResultRows",
    "Row",
    "RowStatus",
    "Secret",
    "Settings",
    "Shape",
    "SignedPost",
    "SignedPostSettings",
    "Sink",
    "Source",
    "Submission",
    "SubmissionRefused",
    "TooManyCalls",
    "TransientError",
    "UnpackLimits",
    "Usage",
    "WorkerLost",
    "Workers",
    "__version__",
    "account_advice",
    "arriving",
    "cell_text",
    "column_names",
    "covered",
    "describe_node",
    "free_names",
    "hookimpl",
    "read_count",
    "read_id",
    "read_json_line",
    "read_json_together",
    "read_moment",
    "read_output_line",
    "read_problems",
    "read_usage",
    "refuses_row",
    "request_failure",
    "retry_after",
    "run_task",
    "service_tables",
    "signature",
    "unique_names",
    "with_retries",
    "without_thinking",
]


def test_the_public_names_are_pinned() -> None:
    # A name added here is a promise to every author of a plugin; one taken away breaks theirs.
    assert sorted(batchd.__all__) == sorted(PUBLIC)


def test_every_public_name_is_there() -> None:
    assert [name for name in PUBLIC if getattr(batchd, name, None) is None] == []


def test_the_type_checker_sees_the_same_names_as_the_program() -> None:
    source = importlib.util.find_spec("batchd")
    assert source is not None
    assert source.origin is not None
    with open(source.origin, encoding="utf-8") as file:
        checked = {line.split(" as ")[1].strip() for line in file if line.startswith("    from .")}
    assert checked | {"__version__"} == set(PUBLIC)


def test_what_is_not_there_is_an_attribute_error_with_its_name() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        batchd.nonsense  # noqa: B018


def imported_by(statement: str) -> set[str]:
    """The top-level modules that a fresh Python has after the statement."""
    program = f"{statement}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_batchd_costs_neither_pydantic_nor_msgspec() -> None:
    heavy = {"pydantic", "msgspec", "pluggy", "openai", "asyncio", "aiosqlite", "jinja2"}
    assert not heavy & imported_by("import batchd; batchd.__version__, batchd.TransientError, batchd.BatchPhase")


def test_a_star_import_gives_everything() -> None:
    space: dict[str, object] = {}
    exec("from batchd import *", space)
    assert set(PUBLIC) <= space.keys()
