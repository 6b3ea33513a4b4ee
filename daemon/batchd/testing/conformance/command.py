"""The tests of a command."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...model import Json
from ..installation import FakeInstallation
from .plugin import PluginConformance, explained

if TYPE_CHECKING:
    import click


class CommandConformance(PluginConformance):
    """Inherit it and write `make`. Test what the command does in tests of your own, with `self.installation(…)`.

    class TestLate(CommandConformance):
        def make(self) -> Callable[..., click.Command]:
            return make_late

        def test_it_names_the_file(self) -> None:
            batchd = self.installation(jobs=[{"source": "may.csv", "finished": False}])
            assert "may.csv" in CliRunner().invoke(make_late(batchd), []).output
    """

    def make(self) -> Callable[..., click.Command]:
        """Return the function that you register. It makes the command, and takes one argument or none."""
        raise NotImplementedError("Write make(self): it returns the function that you register, without calling it.")

    def installation(
        self, *, jobs: Sequence[Mapping[str, Json]] = (), settings: Mapping[str, Json] | None = None
    ) -> FakeInstallation:
        """Return a fake with these jobs, in the form of `batchd status --json`, and this table `[commands.NAME]`."""
        return FakeInstallation(self.folder, jobs=jobs, settings=settings)

    def test_it_is_made_without_a_look(self) -> None:
        """`batchd --help` makes every command, even if there is no configuration yet."""
        batchd = FakeInstallation(self.folder)
        with explained("It could not be made where there is no configuration:", ". Look when the command runs."):
            self._made(batchd)
        assert not batchd.asked, "It looks at batchd when it is made. `batchd --help` makes it too: look when it runs."

    def test_it_is_a_command_that_says_what_it_does(self) -> None:
        """A click.Command, whose docstring is its help."""
        import click

        command: Any = self._made(FakeInstallation(self.folder, config={}))
        assert isinstance(command, click.Command), f"It makes {command!r}; it must be a click.Command."
        assert (command.help or "").strip(), "Its function has no docstring, so `batchd --help` says nothing of it."

    def _made(self, batchd: FakeInstallation) -> click.Command:
        factory = self.make()
        return factory(batchd) if inspect.signature(factory).parameters else factory()
