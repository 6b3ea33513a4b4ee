"""What `batchd check` asks the machines that workers run on."""

from __future__ import annotations

from collections.abc import AsyncIterator

from ...config.load import Config
from ...errors import BatchdError
from ...plugin.catalogue import Catalogue
from ...status.formatting import count
from .result import CheckResult, ok, wrong


async def node_results(config: Config, catalogue: Catalogue) -> AsyncIterator[CheckResult]:
    """Which of them can be used. Nothing where workers run on this machine."""
    if config.workers.executor == "local":
        return
    from ...app.executors import nodes_of

    subject = f"workers {config.workers.executor}"
    try:
        found = await nodes_of(config, catalogue)
    except BatchdError as error:
        yield wrong(subject, str(error))
        return
    if found.trouble:
        yield wrong(subject, found.trouble)
    for node in found.nodes:
        if node.fault:
            yield wrong(f"node {node.name}", f"batchd does not use it: {node.fault}")
    used = [node for node in found.nodes if not node.fault]
    if used:
        yield ok(subject, f"{count(len(used), 'node')} can be used: {count(found.number, 'task')} at a time.")
