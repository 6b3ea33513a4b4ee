"""Commands that break one promise each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchd import Installation

if TYPE_CHECKING:
    import click


class Eager:
    """Looks at batchd when it is made."""

    fails = "test_it_is_made_without_a_look"

    @staticmethod
    def make(batchd: Installation) -> click.Command:
        import click

        folder = batchd.state_folder

        @click.command()
        def eager() -> None:
            """Name the folder."""
            click.echo(folder)

        return eager


class Demanding:
    """Cannot be made where there is no configuration."""

    fails = "test_it_is_made_without_a_look"

    @staticmethod
    def make(batchd: Installation) -> click.Command:
        import click

        return click.Command(str(batchd.config().get("name")), help="Do it.")


class Silent:
    """Has no help."""

    fails = "test_it_is_a_command_that_says_what_it_does"

    @staticmethod
    def make() -> click.Command:
        import click

        return click.Command("silent")


class Uncommanding:
    """Makes a function."""

    fails = "test_it_is_a_command_that_says_what_it_does"

    @staticmethod
    def make() -> Any:
        return print
