from collections.abc import Callable

import click
from click.testing import CliRunner
from late import make_late

from batchd.testing.conformance import CommandConformance


class TestLate(CommandConformance):
    def make(self) -> Callable[..., click.Command]:
        return make_late

    def test_it_names_what_takes_long(self) -> None:
        times = {"old": "2026-01-01T00:00:00Z", "new": "9999-01-01T00:00:00Z"}
        jobs = [
            {"source": f"{name}.csv", "finished": False, "in_words": "waits", "timestamps": {"claimed": at}}
            for name, at in times.items()
        ]
        done = CliRunner().invoke(make_late(self.installation(jobs=jobs, settings={"after": "2h"})), [])
        assert (done.exit_code, done.output) == (1, "old.csv: waits\n")
