"""Conditions: what keeps the daemon waiting. Each is said once, in the log and in the database."""

from __future__ import annotations

import errno
import logging

from ..domain.subjects import Subject, SubjectKind
from ..errors import BatchdError, PluginError
from ..plugin.absent import PluginOff
from ..plugin.blame import place_of
from ..plugin.sources import raised
from ..secrets.known import covered
from ..store.errors import StoreUnavailable
from ..store.tables.event_log import EventLog

logger = logging.getLogger(__name__)


class Conditions:
    """A sentence for each subject with a problem. Nothing here raises: the database itself may be the problem."""

    def __init__(self, event_log: EventLog) -> None:
        self._event_log = event_log
        self._stored: dict[Subject, str] | None = None
        self._only_logged: dict[Subject, str] = {}
        self._logged: set[tuple[Subject, str]] = set()
        self._over: set[Subject] = set()
        self._said: set[Subject] = set()

    async def say(self, subject: Subject, text: str, *, cause: str = "") -> None:
        """Store and log a condition. The same subject in other words is logged again only with another `cause`."""
        self._over.discard(subject)
        text = covered(text)
        try:
            stored = await self._known()
            known = subject in stored
            if known and subject not in self._said:
                # After a restart the condition gets a new time, so that people see that their change did not help.
                await self._event_log.renew_condition(subject, text)
                stored[subject] = text
            elif stored.get(subject) != text:
                await self._event_log.raise_condition(subject, text)
                stored[subject] = text
            self._said.add(subject)
            self._only_logged.pop(subject, None)
            if known and (subject, cause) not in self._logged:
                # No event reports it, and readers of this log may not have read the log of the daemon before.
                logger.warning("%s: %s", subject, text, extra={"action": "Wait"})
            self._logged.add((subject, cause))
        except StoreUnavailable as error:
            # The condition may be about the disk that the database is on. The next call tries again.
            if self._only_logged.get(subject) != text:
                self._only_logged[subject] = text
                logger.error(
                    "%s: %s (This cannot be noted in the database: %s.)",
                    subject,
                    text,
                    error.reason,
                    extra={"action": "Wait"},
                )

    async def of_kinds(self, *kinds: SubjectKind) -> list[Subject]:
        """The subjects of these kinds that are in trouble, as far as can be told."""
        try:
            return [each for each in await self._known() if each.kind in kinds]
        except StoreUnavailable:
            return []

    async def all_well(self, subject: Subject) -> None:
        """Clear the condition of the subject."""
        self._over.add(subject)
        self._logged = {each for each in self._logged if each[0] != subject}
        if self._only_logged.pop(subject, None) is not None:
            logger.info("%s: all is well again.", subject, extra={"action": "Wait"})
        try:
            stored = await self._known()
            for each in tuple(self._over):
                if each in stored:
                    await self._event_log.clear_condition(each)
                    stored.pop(each, None)
                self._over.discard(each)
        except StoreUnavailable:
            return  # they stay in `_over`, and are cleared with the next one

    async def _known(self) -> dict[Subject, str]:
        if self._stored is None:
            self._stored = await self._event_log.conditions()
        return self._stored


_ADVICE = {
    errno.ENOSPC: " Make room on its disk.",
    errno.EDQUOT: " Make room, or raise the quota of the user that batchd runs as.",
    errno.EROFS: " Its file system is mounted read-only: mount it for writing.",
    errno.EACCES: " Give the user that batchd runs as the right to use it.",
    errno.ENOENT: "",
}
"""Faults of the disk that a person must fix, and how."""


def worth_saying_at_once(error: Exception) -> bool:
    """Whether the error seldom passes by itself, such as a full disk or missing rights."""
    if isinstance(error, StoreUnavailable):
        return error.needs_a_person
    if isinstance(error, OSError):
        return error.errno in _ADVICE
    return isinstance(error, PluginOff) or not isinstance(error, BatchdError)


def in_words(error: Exception, name: str, *, of: str = "") -> str:
    """What went wrong with the action of this name, `of` a job, what happens next, and what people can do."""
    what = f"{name.lower()}{' ' if of else ''}{of}"
    place = place_of(error)
    if place is not None and (not isinstance(error, BatchdError) or isinstance(error, PluginError)):
        return (
            f"A fault in {place}: {raised(error)} (while trying to {what}). batchd keeps retrying, less and less "
            "often; fix the plugin, then reload."
        )
    if isinstance(error, OSError):
        where = f" ({error.filename})" if error.filename else ""
        return f"{error.strerror or error}{where}.{_ADVICE.get(error.errno or 0, '')} Trying again until it works."
    if isinstance(error, BatchdError):
        return f"{error} Trying again."
    return (
        f"A fault in batchd: {raised(error)} (while trying to {what}). "
        "batchd keeps retrying, less and less often; `batchd run --log-level debug` shows where."
    )
