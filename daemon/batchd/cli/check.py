"""`batchd check`: whether everything is ready, and how to fix what is not."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import click

from ..status.formatting import clean
from .call import Call, json_option, pass_call

if TYPE_CHECKING:
    from .checks import Finding

_SIGNS = {"ok": ("✓", "green"), "note": ("!", "yellow"), "wrong": ("✗", "red")}
CONFIG, NOT_AVAILABLE = 4, 5


@click.command()
@click.option("--offline", is_flag=True, help="Call no provider and no sink; look only at what is here.")
@json_option
@pass_call
def check(call: Call, *, offline: bool, as_json: bool) -> int:
    """See whether everything is ready, and how to fix what is not.

    Looks at the configuration, plugins, folders, disk and keys; calls the providers with the models of their routes.

    Every line begins with ✓ (well), ! (worth knowing) or ✗ (wrong, with how to fix it). Nothing is changed, and
    nothing is asked that costs money. A daemon may be running meanwhile.

    Exits with 4 if the configuration is wrong, with 5 if a folder, the disk or a provider is.

    \b
    Examples:
      batchd check
      batchd check --offline
    """
    from .checks import local_findings, read_config, remote_findings

    findings: list[Finding] = []

    def note(finding: Finding) -> None:
        findings.append(finding)
        if not as_json:
            _echo(finding)

    path = call.config_path
    loaded, found = read_config(path)
    for finding in found:
        note(finding)
    if loaded is not None:
        for finding in local_findings(*loaded):
            note(finding)
        hopeless = {finding.subject for finding in findings if finding.level == "wrong"}
        if not offline:

            async def call_them() -> None:
                async for finding in remote_findings(*loaded, hopeless):
                    note(finding)

            asyncio.run(call_them())
    wrong = [finding for finding in findings if finding.level == "wrong"]
    status = 0 if not wrong else CONFIG if any(finding.config for finding in wrong) else NOT_AVAILABLE
    if as_json:
        record = {
            "ok": not wrong,
            "exit_status": status,
            "config": str(path),
            "offline": offline,
            "findings": [
                {"subject": finding.subject, "level": finding.level, "text": finding.text} for finding in findings
            ],
        }
        click.echo(json.dumps(record, ensure_ascii=False, indent=2))
    else:
        click.echo(f"\n{_sum(len(wrong), offline=offline)}")
    return status


def _echo(finding: Finding) -> None:
    sign, colour = _SIGNS[finding.level]
    click.echo(f"{click.style(sign, fg=colour)} {click.style(finding.subject, bold=True)}: {clean(finding.text)}")


def _sum(wrong: int, *, offline: bool) -> str:
    if wrong:
        return f"{wrong} to fix. Then: batchd check"
    return "All is well, as far as can be seen without calling anyone." if offline else "All is well."
