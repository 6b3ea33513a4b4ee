"""`batchd check`: whether everything is ready, and how to fix what is not."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from ..status.formatting import clean
from .call import Call, echo_json, json_option, pass_call

if TYPE_CHECKING:
    from .checking.results import CheckResult

_SIGNS = {"ok": ("✓", "green"), "note": ("!", "yellow"), "wrong": ("✗", "red")}
CONFIG, NOT_AVAILABLE = 4, 5


@click.command()
@click.option("--offline", is_flag=True, help="Call no provider and no sink; check only what is on this machine.")
@json_option
@pass_call
def check(call: Call, *, offline: bool, as_json: bool) -> int:
    """Check that all is ready, and say how to fix what is not.

    Looks at the configuration, plugins, folders, disk and keys; calls the providers with the models of their routes.

    Every line begins with ✓ (fine), ! (worth knowing) or ✗ (wrong, with how to fix it). It changes nothing and costs
    nothing. A daemon may be running at the same time.

    Exits with 4 if the configuration is wrong, with 5 if a folder, the disk or a provider is.

    \b
    Examples:
      batchd check
      batchd check --offline
    """
    from .checking.results import local_results, read_config, remote_results

    results: list[CheckResult] = []

    def note(result: CheckResult) -> None:
        results.append(result)
        if not as_json:
            sign, colour = _SIGNS[result.level]
            click.echo(f"{click.style(sign, fg=colour)} {click.style(result.subject, bold=True)}: {clean(result.text)}")

    path = call.config_path
    loaded, found = read_config(path)
    for result in found:
        note(result)
    if loaded is not None:
        for result in local_results(*loaded):
            note(result)
        without_key = {result.subject for result in results if result.level == "wrong"}
        if not offline:

            async def call_them() -> None:
                async for result in remote_results(*loaded, without_key):
                    note(result)

            asyncio.run(call_them())
    wrong = [result for result in results if result.level == "wrong"]
    status = 0 if not wrong else CONFIG if any(result.config for result in wrong) else NOT_AVAILABLE
    if as_json:
        record = {
            "ok": not wrong,
            "exit_status": status,
            "config": str(path),
            "offline": offline,
            "results": [{"subject": result.subject, "level": result.level, "text": result.text} for result in results],
        }
        echo_json(record)
    else:
        unchecked = any("was not checked" in result.text for result in results if result.level == "note")
        click.echo(f"\n{_sum(len(wrong), offline=offline, unchecked=unchecked)}")
    return status


def _sum(wrong: int, *, offline: bool, unchecked: bool) -> str:
    if wrong:
        return f"{wrong} to fix. Then: batchd check"
    if unchecked and not offline:
        return "All is well, as far as it was checked."
    return "All is well on this machine; no provider and no sink was called." if offline else "All is well."
