"""`batchd status` on a terminal: tables that fit its width, in colour. Imported only then: it imports rich."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ...status.formatting import clean, since, troubled
from .cells import Cells, cells
from .status_lines import daemon_line, limit_lines, more_line, none_line, older_line, totals_line
from .terminal import Prose

if TYPE_CHECKING:
    from ...status.overview import Overview
    from ...store.reading.records import JobSummary

GAP = 2
BAR = 10
HINT = "Why a job waits, and what to do: batchd status JOB"
FILE_WANTED, MIN_FILE = 22, 9
_RIGHT = {"rows", "failed", "cost", "when", "expected"}
_DROPPED_FIRST = ("route", "share", "when", "cost", "failed", "expected")


class JobTable:
    """Jobs in columns that fit the terminal, with what each waits for below, cut to one line if `brief`."""

    def __init__(self, title: str, heads: Sequence[tuple[str, str]], rows: Sequence[Cells], *, brief: bool) -> None:
        self._brief = brief
        self._title = title
        self._heads = dict(heads)
        self._rows = rows

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        widths = self._fitted(options.max_width)
        yield Text(self._title, style="bold")
        yield self._line({name: Text(head, style="dim") for name, head in self._heads.items()}, widths)
        indent = widths["job"] + GAP
        for row in self._rows:
            yield self._line(self._texts(row, widths), widths)
            if row.below:
                style = "red" if row.mood == "red" else "dim"
                text = " ".join(row.below.split())
                brief = Text(text, style=style, no_wrap=True, overflow="ellipsis")
                yield Padding(brief if self._brief else Prose(row.below, style=style), (0, 0, 0, indent))

    def _fitted(self, width: int) -> dict[str, int]:
        """The width of each column. Columns that matter least are left out, then names of files are shortened."""
        widths = {name: max(cell_len(head), *map(cell_len, self._column(name))) for name, head in self._heads.items()}
        for name in (name for name in ("failed", "cost", "share", "expected") if not any(self._column(name))):
            widths.pop(name, None)
        for name in _DROPPED_FIRST:
            if _total(widths) - max(0, widths["file"] - FILE_WANTED) <= width:
                break
            widths.pop(name, None)
        excess = _total(widths) - width
        if excess > 0:
            widths["file"] = max(MIN_FILE, widths["file"] - excess)
        return widths

    def _column(self, name: str) -> list[str]:
        if name == "share":
            return ["━" * BAR if row.share is not None else "" for row in self._rows]
        return [getattr(row, name) for row in self._rows]

    def _texts(self, row: Cells, widths: dict[str, int]) -> dict[str, Text]:
        texts = {
            "job": Text(row.job, style="bold"),
            "file": Text(_shortened(row.file, widths["file"])),
            "route": Text(row.route, style="dim"),
            "state": Text(row.state, style=row.mood),
            "share": _bar(row.share),
            "rows": Text(row.rows),
            "failed": Text(row.failed, style="red"),
            "cost": Text(row.cost),
            "when": Text(row.when, style="dim"),
            "expected": Text(row.expected),
        }
        return {name: texts[name] for name in widths}

    def _line(self, texts: dict[str, Text], widths: dict[str, int]) -> Text:
        line = Text(no_wrap=True, overflow="ellipsis")
        for name, width in widths.items():
            text = texts[name]
            room = " " * (width - text.cell_len)
            line.append_text(Text.assemble(room, text) if name in _RIGHT else Text.assemble(text, room))
            line.append(" " * GAP)
        line.rstrip()
        return line


def tables(
    survey: Overview,
    *,
    titles: tuple[str, str] = ("Under way", "Finished last"),
    daemon: bool = True,
    most: int | None = None,
    brief: bool = False,
) -> RenderableType:
    """The whole view, from the daemon and conditions down to finished jobs; at most `most` jobs under way."""
    pieces = _pieces(survey, titles, daemon=daemon, most=most, brief=brief)
    apart = [each for piece in pieces for each in (Text(), piece)]
    return Group(*apart[1:])


def _pieces(
    survey: Overview, titles: tuple[str, str], *, daemon: bool, most: int | None, brief: bool
) -> Iterator[RenderableType]:
    if daemon:
        yield Prose(daemon_line(survey), style="green" if survey.daemon is not None else "yellow")
        if (totals := totals_line(survey)) is not None:
            yield Prose(totals)
    if survey.conditions:
        notes = Table.grid(padding=(0, 1))
        for each in survey.conditions:
            at = None if each.since is None else since(each.since, survey.now)
            notes.add_row(Text("!", style="bold red"), Prose(each.text, head=f"{troubled(each.subject, at)}: "))
        yield notes
    limits = list(limit_lines(survey))
    if limits:
        yield Text("\n".join(clean(each) for each in limits), style="dim")
    if survey.unfinished:
        rows = _cells(survey.unfinished[:most], survey)
        hints = [HINT] if brief and any(row.below for row in rows) else []
        hints += [more] if (more := more_line(survey, most)) is not None else []
        jobs = JobTable(titles[0], _heads("age"), rows, brief=brief)
        yield Group(jobs, *(Prose(hint, style="dim") for hint in hints))
    if survey.finished:
        older = older_line(survey)
        table = JobTable(titles[1], _heads("finished", bar=False), _cells(survey.finished, survey), brief=brief)
        yield Group(table, Prose(older, style="dim")) if older is not None else table
    if not survey.unfinished and not survey.finished:
        yield Text(none_line(survey))


def _heads(when: str, *, bar: bool = True) -> list[tuple[str, str]]:
    heads = [("job", "job"), ("file", "file"), ("route", "route"), ("state", "state")]
    heads += [("share", "")] if bar else []
    heads += [("rows", "answered" if bar else "rows"), ("failed", "failed"), ("cost", "cost"), ("when", when)]
    return [*heads, ("expected", "back")] if bar else heads


def _cells(jobs: Sequence[JobSummary], survey: Overview) -> list[Cells]:
    return [cells(job, survey) for job in jobs]


def _total(widths: dict[str, int]) -> int:
    return sum(widths.values()) + GAP * (len(widths) - 1)


def _shortened(name: str, width: int) -> str:
    """Cut the beginning of a path, since its end says more."""
    if cell_len(name) <= width:
        return name
    while cell_len(name) > width - 1:
        name = name[1:]
    return set_cell_size(f"…{name}", width)


def _bar(share: float | None) -> Text:
    if share is None:
        return Text()
    done = min(BAR, int(share * BAR))
    # Heavy and light lines differ without colours, too.
    return Text.assemble(("━" * done, "cyan"), ("─" * (BAR - done), "dim"))
