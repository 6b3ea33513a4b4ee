"""The table of faults that can be ordered. The help, the parser and its errors are built from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .file_shapes import SHAPES_OF_FILES

CALLS = (
    "upload", "files-list", "file", "content", "delete",
    "create", "retrieve", "list", "cancel", "models", "chat",
)  # fmt: skip
"""The operations that are one HTTP call. `chat` includes /responses and /embeddings."""

ALWAYS: int | None = None
"""The count of a fault that stays until it is lifted."""


@dataclass(frozen=True, slots=True)
class Order:
    """One ordered fault: where, what, how often, and its parameters."""

    operation: str
    kind: str
    text: str = ""
    """The order as it was written."""
    count: int | None = 1
    """How many times; None: until it is lifted. For faults of single lines, counted for each custom_id."""
    fraction: float | None = None
    """The share of requests, lines or answers, 0 to 1."""
    delay: float = 0.0
    lines: tuple[tuple[int, int], ...] = ()
    """Ranges of line numbers of the input file, from 1, both ends included."""
    marker: str | None = None
    """Select only what contains this text."""
    retry_after: float | None = None
    code: str | None = None
    status: int = 0
    limit: int = 0
    reason: str = ""
    """Why the account is refused: a name of `ACCOUNT_REASONS`."""
    param: str = ""
    """The parameter that the model does not have."""

    @property
    def chooses_lines(self) -> bool:
        """Whether this is a fault of single lines, whose count is kept for each custom_id."""
        return self.operation == "line" and self.kind not in WHOLE_FILE

    @property
    def ends_batch(self) -> bool:
        """Whether the fault decides how a batch ends. A batch takes only one of these."""
        return self.operation == "batch" and self.kind not in ("empty-ids", "counts-lie")


@dataclass(frozen=True, slots=True)
class Fault:
    """One row of the table: a kind of fault, what it does, and its parameters."""

    operations: tuple[str, ...]
    kind: str
    summary: str
    parameters: tuple[str, ...] = ()
    defaults: Order = Order("", "")

    def takes(self, operation: str) -> tuple[str, ...]:
        """Its parameters for this operation."""
        return (*self.parameters, "marker") if operation in WITH_BODY else self.parameters

    @property
    def written(self) -> str:
        """How it is written, with `CALL` for any call."""
        return f"{'CALL' if self.operations == CALLS else self.operations[0]}:{self.kind}"


WHOLE_FILE = ("shuffled", "unknown", "crlf")
STATUS = "STATUS"
"""Stands in the table for any status of a line."""

WITH_BODY = ("create", "chat")
"""The calls with a JSON body, which is searched for `marker`."""

_ANY_CALL = ("count", "fraction")
_SOME_LINES = ("count", "fraction", "lines", "marker")
_EVERY_LINE = ((1, 10**9),)


def _fault(where: str, kind: str, summary: str, *parameters: str, **defaults: Any) -> Fault:
    return Fault((where,), kind, summary, parameters, Order("", "", **defaults))


def _call(kind: str, summary: str, *parameters: str, **defaults: Any) -> Fault:
    return Fault(CALLS, kind, summary, _ANY_CALL + parameters, Order("", "", **defaults))


def _line(kind: str, summary: str, *parameters: str, **defaults: Any) -> Fault:
    """A fault of single lines; by default of the first one."""
    return _fault("line", kind, summary, *_SOME_LINES, *parameters, **({"lines": ((1, 1),)} | defaults))


FAULTS: tuple[Fault, ...] = (
    # Specific faults come before general ones of the same name: the first match counts.
    *(
        _fault(
            where, "account", "the account is refused for `reason`, until it is lifted", "count", "reason",
            count=ALWAYS, reason="insufficient-quota",
        )
        for where in ("upload", "create", "batch")
    ),
    _line(
        "account", "the account is refused for `reason` on every line, until it is lifted", "reason",
        count=ALWAYS, lines=_EVERY_LINE, reason="insufficient-quota",
    ),
    _line(
        "param", "lines with `param` (a key, or role for the role system) are refused, until it is lifted", "param",
        count=ALWAYS, lines=_EVERY_LINE, param="max_tokens",
    ),
    _fault("upload", "cut", "connection reset half-way through the upload; nothing is stored", *_ANY_CALL),
    _fault(
        "create", "late", "connection reset at once; the batch is still created, `delay` later",
        *_ANY_CALL, "delay", delay=2.0,
    ),
    _fault("create", "twice", "two batches are created, then the connection is reset, with no answer", *_ANY_CALL),
    _fault("retrieve", "no-files", "a finished batch is shown without the ids of its files", *_ANY_CALL),
    _fault("content", "cut", "connection reset half-way through the download; Content-Length said more", *_ANY_CALL),
    _fault(
        "content", "short", "half of the download without Content-Length, then a normal end: the client sees no error",
        *_ANY_CALL,
    ),
    *(_fault("content", kind, f"the file comes {words}", *_ANY_CALL) for kind, (words, _) in SHAPES_OF_FILES.items()),
    _fault("content", "other", "the file of another batch; of none, if there is no other", *_ANY_CALL),
    _fault("content", "slow", "the download trickles for `delay`", *_ANY_CALL, "delay", delay=2.0),
    _fault(
        "content", "no-range", "Range is ignored: 200 and the whole file; can be combined with the others",
        *_ANY_CALL, count=ALWAYS,
    ),
    _call("cut", "connection reset before anything is done"),
    _call("cut-after", "done, then the connection is reset instead of the answer"),
    _call("400", "refused with status 400", "code"),
    _call("401", "refused with status 401", "code"),
    _call("403", "refused with status 403", "code"),
    _call("404", "status 404: gone, not there yet, or not offered", "code"),
    _call("500", "status 500, nothing is done", "code"),
    _call("500-after", "done, but answered with status 500", "code"),
    _call("503", "status 503, nothing is done", "code", "retry-after"),
    _call("429", "status 429, nothing is done; says when to retry", "code", "retry-after", retry_after=1.0),
    _call("429-after", "done, but answered with status 429", "code", "retry-after", retry_after=1.0),
    _call("html", "status 200 with a page of HTML; nothing is done"),
    _call("redirect", "status 307 to the same path at another name of this machine; nothing is done"),
    _call("redirect-after", "done, but answered with that redirect"),
    _call("endless", "status 200 with JSON without end; nothing is done"),
    _call("bomb", "status 200 with gzip that unpacks to 100 MB; nothing is done"),
    _call("digits", "status 200 with a number of a million digits; nothing is done"),
    _call("crowd", "status 200 with a page of a million files, or batches; nothing is done"),
    _call("nested", "status 200 with a million brackets in each other; nothing is done"),
    _call("long-error", "status 500 with a message of 50 MB; nothing is done"),
    _call("long-header", "status 200 with a header of a megabyte; nothing is done"),
    _call("echo", "status 400 that repeats the key as it is, in JSON's escapes and in base64; nothing is done"),
    _call("slow", "waits `delay`, then as usual", "delay", delay=2.0),
    _call("timeout", "done at once, answered only after `delay`", "delay", delay=30.0),
    _call("silence", "nothing is done; after `delay` without an answer the connection is reset", "delay", delay=30.0),
    _fault("chat", "length", "the answer is cut: finish_reason is length", *_ANY_CALL),
    _fault("chat", "empty", "the answer's content is null", *_ANY_CALL),
    _fault("line", "shuffled", "output lines in another order than the input, also with --instant", "count"),
    _fault("line", "unknown", "one extra line, with a custom_id that was not sent", "count"),
    _fault("line", "crlf", "lines end in CR LF", "count"),
    _line("double", "the line comes twice (paid once)"),
    _line("both", "the error file names the row, too (paid once)"),
    _line("missing", "the line is in neither file (not paid)"),
    _line("not-json", "the line is cut off and not JSON (paid)"),
    _line("separators", "the answer contains U+2028, U+2029 and U+0085, unescaped"),
    _line("nan", "the answer contains NaN and -Infinity, which are not JSON (paid)"),
    _line("half-pair", "the answer ends in half of a surrogate pair, which is not valid text (paid)"),
    _line(
        "shapes", "a request with `<shape NAME>` in it is answered in that shape of a real service",
        count=ALWAYS, lines=(),
    ),
    _line("length", "the answer is cut: finish_reason is length"),
    _line("empty", "the answer's content is null (paid)"),
    _line("error", "no response at all; top-level error with `code`", "code", code="server_error"),
    _line(
        "http-error-without-error-field",
        "in the output file: a response with `status`, and no error field on the line", "status", status=400,
    ),
    _line(STATUS, "the line is answered with that status, 400 to 599, or 0: `line:429`, `line:0`", "code"),
    _fault(
        "batch", "failed-lines", "refused in validation, naming `lines`, or each line that contains `marker`",
        "count", "lines", "marker", "code", lines=((1, 1),), code="invalid_request",
    ),
    _fault(
        "batch", "failed", "refused in validation without line numbers; with `marker`, only if a line contains it",
        "count", "marker", "code", code="invalid_request",
    ),
    _fault(
        "batch", "model-not-found", "refused in validation: the model does not exist", "count", code="model_not_found"
    ),
    _fault(
        "batch", "token-limit", "refused in validation: over `limit` enqueued tokens",
        "count", "limit", limit=2_000_000,
    ),
    _fault("batch", "expired", "expires after answering `fraction` of the requests", *_ANY_CALL, fraction=0.5),
    _fault("batch", "broken", "fails after answering `fraction` of the requests", *_ANY_CALL, fraction=0.5),
    _fault(
        "batch", "cancelled", "cancelled by the server after answering `fraction` of the requests",
        *_ANY_CALL, fraction=0.5,
    ),
    _fault("batch", "stuck", "stays in progress after answering `fraction` of the requests", *_ANY_CALL, fraction=0.0),
    _fault("batch", "stuck-finalizing", "all answered, then stays in finalizing", "count"),
    _fault("batch", "vanish", "unknown as soon as it is created, and nothing is answered", "count"),
    _fault("batch", "no-files", "completed without answers: neither an output nor an error file", "count"),
    _fault(
        "batch", "no-output", "completed, but every request failed with `status`: no output file",
        "count", "status", status=400,
    ),
    _fault("batch", "empty-ids", "file ids that should be null are empty strings", "count"),
    _fault("batch", "counts-lie", "request_counts leave out failures; without failures, they are zeros", "count"),
    _fault(
        "auth", "401", "the key is revoked until this is lifted; with `marker`, any key that contains it",
        "count", "marker", count=ALWAYS,
    ),
    _fault("all", "503", "down: status 503 on everything under /v1", "count", "retry-after", count=ALWAYS),
    _fault("all", "500", "status 500 on everything under /v1", "count", count=ALWAYS),
    _fault("all", "cut", "every connection under /v1 is reset", "count", count=ALWAYS),
    _fault(
        "all", "refuse", "connections are refused for `delay`, also to the sandbox's own endpoints",
        "delay", delay=3.0,
    ),
)  # fmt: skip


def table() -> list[tuple[str, str]]:
    """For the help: how each fault is written, and what it does."""
    rows = []
    for fault in FAULTS:
        parameters = ", ".join(fault.parameters if fault.operations == CALLS else fault.takes(fault.operations[0]))
        rows.append((fault.written, f"{fault.summary} [{parameters}]" if parameters else fault.summary))
    return rows
