"""Machines that are not used are named, as long as they are there and not used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from batchd.app.node_watch import say_of_nodes
from batchd.contracts import Settings
from batchd.executor import Executor, Node
from batchd.testing.household import Household


class Rack(Executor[Settings]):
    """Machines that are as the test says."""

    def __init__(self) -> None:
        super().__init__(Settings())
        self.found: list[Node] = []

    async def run(self, function: Callable[[Any], Any], task: Any) -> Any:
        return function(task)

    def nodes(self) -> Sequence[Node]:
        return self.found


async def test_what_is_not_used_is_named_and_forgotten_once_it_is(tmp_path: Path) -> None:
    rack = Rack()
    household = Household(tmp_path, executor=rack)
    async with household.living() as daemon:
        conditions = daemon.engine.conditions

        async def said() -> dict[str, str]:
            await say_of_nodes(daemon.context, conditions)
            return {str(subject): text for subject, text in (await daemon.context.store.event_log.conditions()).items()}

        assert await said() == {}
        rack.trouble = "The scheduler cannot be reached."
        assert await said() == {"workers": "The scheduler cannot be reached."}
        rack.trouble = ""
        rack.found = [Node("a", "1", "3.11"), Node("b", "1", "3.11", fault="it has batchd 1. Install 2.")]
        assert await said() == {"node b": "batchd does not use it: it has batchd 1. Install 2."}
        rack.found = [Node("c", "1", "3.11", fault="it has no spool.")]
        assert await said() == {"node c": "batchd does not use it: it has no spool."}
        rack.found = [Node("c", "1", "3.11")]
        assert await said() == {}
