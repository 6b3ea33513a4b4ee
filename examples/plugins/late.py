"""A command. `batchd late` names the files that have been under way for longer than `[commands.late] after`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchd import Installation, Register, hookimpl

if TYPE_CHECKING:
    import click


def make_late(batchd: Installation) -> click.Command:
    from datetime import UTC, datetime, timedelta

    import click

    from batchd import Duration, Settings

    class LateSettings(Settings):
        after: Duration = Duration("24h")

    @click.command()
    def late() -> None:
        """Name the files that take longer than usual. Ends with 1 if there is one."""
        after = batchd.settings(LateSettings).after
        since = f"{datetime.now(UTC) - timedelta(seconds=after):%Y-%m-%dT%H:%M:%SZ}"
        jobs = [job for job in batchd.status()["jobs"] if not job["finished"]]
        old = [job for job in jobs if (job["timestamps"]["claimed"] or "") < since]
        for job in old:
            click.echo(f"{job['source']}: {job['in_words']}")
        raise SystemExit(1 if old else 0)

    return late


@hookimpl
def register_commands(register: Register) -> None:
    register("late", make_late)
