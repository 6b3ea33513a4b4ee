"""Files handed in by name: which route takes one, where in the inbox it goes, and how it gets there."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ..domain.names import numbered, shortened
from ..domain.questions import NAME as QUESTION
from ..domain.questions import with_question
from ..domain.routing import Route, matches, route_for
from ..errors import BatchdError, FileRefused
from ..files import make_folder, move_without_replacing, named

DRAFT = ".batchd-drop-"
"""How the name of an incomplete copy begins. The daemon takes no file with such a name."""
LEFT_AFTER = 86_400.0
"""Seconds after which an incomplete copy is removed, if a killed command has left it."""
_LONGEST = 255
"""Bytes of a name in a file system."""


class NotClear(BatchdError):
    """It is not clear which route or model is meant. The message lists the choices."""

    exit_status = 2


def places(files: Iterable[Path], inbox: Path, routes: Sequence[Route], wanted: str | None) -> Mapping[Path, str]:
    """For each file its place in the inbox. Files that lie in the inbox are taken from there, so they are left out."""
    inbox = inbox.resolve()
    outside = [file for file in files if not file.resolve().is_relative_to(inbox)]
    return {file: place_of(file.name, routes, wanted) for file in outside}


def route_of(file: Path, inbox: Path, routes: Sequence[Route], wanted: str | None) -> Route:
    """The route that would take the file: the wanted one, that of its place in the inbox, or that of its name."""
    inbox, real = inbox.resolve(), file.resolve()
    if wanted is None and real.is_relative_to(inbox):
        place = real.relative_to(inbox).as_posix()
        found = route_for(place, routes)
        if found is None:
            raise NotClear(f"No route takes {place} in the inbox. Name the route: {_choice(routes)}.")
        return found
    return _named(file.name, routes, wanted)


def named_route(routes: Sequence[Route], wanted: str) -> Route:
    found = next((route for route in routes if route.name == wanted), None)
    if found is None:
        raise NotClear(f'There is no route "{wanted}". There are: {_choice(routes)}.')
    return found


def drop(file: Path, target: Path) -> None:
    """Copy a file into the inbox so that it is whole when it appears, under a name that is free there."""
    make_folder(target.parent, mode=0o770)
    for left in target.parent.glob(f"{DRAFT}*.part"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > LEFT_AFTER:
                left.unlink()
    # Not named after the target: that name may be long, and another file may be on its way to it.
    draft = target.with_name(f"{DRAFT}{secrets.token_hex(8)}.part")
    try:
        with named(target):
            shutil.copyfile(file, draft)
            with draft.open("rb") as copy:
                os.fsync(copy.fileno())
            _move_to_free_name(draft, target)
    finally:
        draft.unlink(missing_ok=True)


def _move_to_free_name(draft: Path, target: Path) -> None:
    number, place = 1, target
    while True:
        try:
            move_without_replacing(draft, place)
        except FileExistsError:
            number += 1
            ending = f"{numbered('', number)}{target.suffix}"
            room = _LONGEST - len(os.fsencode(ending))
            stem = target.stem if len(os.fsencode(target.stem)) <= room else shortened(target.stem, room)
            place = target.with_name(stem + ending)
        else:
            return


def _named(name: str, routes: Sequence[Route], wanted: str | None) -> Route:
    if wanted is not None:
        return named_route(routes, wanted)
    found = route_for(name, routes)
    if found is None and len(routes) > 1:
        raise NotClear(f"No route takes a file by the name {name} alone. Name the route: {_choice(routes)}.")
    return found or routes[0]


def place_of(name: str, routes: Sequence[Route], wanted: str | None) -> str:
    """Where in the inbox a file of this name is taken, by this route or by any. NotClear if nowhere."""
    route = _named(name, routes, wanted)
    if wanted is None and route_for(name, routes) is route:
        return name
    for pattern in route.match:
        place = _folder(pattern) + name
        # An earlier route may take it first, and a pattern may need more than a folder.
        if matches(place, pattern) and route_for(place, routes) is route:
            return place
    raise NotClear(
        f"There is no folder in which the route {route.name} would take a file called {name}; "
        f"it takes {' and '.join(route.match)}. Rename the file, or change the route's match."
    )


def _folder(pattern: str) -> str:
    """The part before the first wildcard, as a folder: `reviews/` of `reviews/**`, nothing of `*.csv`."""
    folders = []
    for name in pattern.split("/")[:-1]:
        if any(sign in name for sign in "*?["):
            break
        folders.append(f"{name}/")
    return "".join(folders)


def _choice(routes: Sequence[Route]) -> str:
    return ", ".join(f"--route {route.name} (takes {' and '.join(route.match)})" for route in routes)


def asked_beside(file: Path, route: Route) -> Route:
    """The route with the question beside a file, if it takes its questions from folders. FileRefused without one."""
    if route.questions is None:
        return route
    try:
        content = (file.parent / QUESTION).read_bytes()
    except OSError:
        raise FileRefused(
            "question", f"There is no {QUESTION} beside {file.name}, so batchd does not know what to ask."
        ) from None
    asked = with_question(route, str(file.parent), content)
    fault = (asked.question or {}).get("fault")
    if fault is not None:
        raise FileRefused("question", str(fault))
    return asked
