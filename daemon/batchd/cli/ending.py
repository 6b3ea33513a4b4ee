"""Runs the command line, and turns every way a command can end into an exit status.

0 done · 1 a job or check failed · 2 wrong use · 3 delivered, but some rows failed · 4 configuration ·
5 provider or disk not available · 6 held for budget · 11 state locked by another daemon · 130 interrupted
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence

import click

from ..errors import BatchdError
from ..status.formatting import clean
from .call import Call
from .showing.folding import for_stream

FAULT, WRONG_USE, NOT_AVAILABLE, INTERRUPTED = 1, 2, 5, 130


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line. Every error becomes a sentence on standard error and an exit status."""
    from .main import batchd

    # A name that this terminal's encoding cannot show must not be an error.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    call = Call()
    try:
        status = batchd.main(arguments, prog_name="batchd", standalone_mode=False, obj=call)
        sys.stdout.flush()
        return status if isinstance(status, int) else 0
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except click.UsageError as error:
        error.show()
        return WRONG_USE
    except Exception as error:  # noqa: BLE001  # the border: a traceback is shown only to those who ask for it
        return _explain(error, debug=call.log_level == "debug")


def _explain(error: Exception, *, debug: bool) -> int:
    if debug:
        import traceback

        traceback.print_exception(error)
    while isinstance(error, ExceptionGroup):
        # The error ended one loop of the daemon, which ended the others.
        error = error.exceptions[0]
    if isinstance(error, BatchdError):
        _say(str(error))
        return error.exit_status
    if isinstance(error, click.ClickException):
        _say(error.format_message())
        return error.exit_code
    if isinstance(error, OSError):
        _give_up_output()
        where = f"{error.filename}: " if error.filename else ""
        denied = error.errno in {errno.EACCES, errno.EPERM}
        advice = " Give this user the right to it, or run the command as another user." if denied else ""
        _say(f"{where}{error.strerror or error}.{advice}")
        return NOT_AVAILABLE
    hint = "" if debug else " To see where: batchd --log-level debug, then the same command."
    _say(f"This is a bug in batchd: {type(error).__name__}: {error}.{hint}")
    return FAULT


def _give_up_output() -> None:
    """Discard the output if it is what failed: flushing it again at exit would end Python with status 120."""
    try:
        sys.stdout.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _say(text: str) -> None:
    for line in clean(text).splitlines() or [""]:
        click.echo(for_stream(f"batchd: {line}", sys.stderr), err=True)
