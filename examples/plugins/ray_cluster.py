"""An executor for those who have a Ray cluster: `pip install ray`, and `[workers] executor = "ray"`."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from batchd import Executor, Node, NodeLost, Register, Settings, WorkerLost, describe_node, hookimpl, run_task

Task = TypeVar("Task")
Done = TypeVar("Done")


class RaySettings(Settings):
    address: str = "auto"


class RayExecutor(Executor[RaySettings]):
    Settings = RaySettings
    ray: Any
    found: Sequence[Node] = ()

    async def aopen(self) -> None:
        import ray  # type: ignore[import-not-found,unused-ignore]  # for those who have it

        self.ray = ray
        await asyncio.to_thread(ray.init, self.settings.address, log_to_driver=False, ignore_reinit_error=True)
        nodes = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
        self.found = await asyncio.gather(*(self.ask(node["NodeID"], int(node["Resources"]["CPU"])) for node in nodes))
        # Ray chooses among all of its nodes, so each of them must have what batchd has here.
        self.trouble = next((f"Node {node.name}: {node.fault}" for node in self.found if node.fault), "")
        self.number = self.number or sum(node.slots for node in self.found) or 1

    async def ask(self, node: str, slots: int) -> Node:
        there = self.ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(node, soft=False)
        asked = self.ray.remote(describe_node).options(scheduling_strategy=there)
        answer: Node = await asked.remote(self.hello, node[:8], slots=slots)
        return answer

    async def run(self, function: Callable[[Task], Done], task: Task) -> Done:
        errors = self.ray.exceptions

        if self.trouble:
            raise NodeLost(self.trouble)
        going = self.ray.remote(run_task).options(max_retries=0).remote(function, task)
        try:
            done: Done = await going
            return done
        except errors.RayTaskError as error:
            raise error.cause from None
        except errors.NodeDiedError as error:
            raise NodeLost(f"The machine of {function.__name__} went away: {error}") from None
        except (errors.WorkerCrashedError, errors.OutOfMemoryError) as error:
            raise WorkerLost(f"The process of {function.__name__} died: {error}") from None
        except asyncio.CancelledError:
            self.ray.cancel(going, force=True)
            raise

    def nodes(self) -> Sequence[Node]:
        return self.found

    async def aclose(self) -> None:
        await asyncio.to_thread(self.ray.shutdown)


@hookimpl
def register_executors(register: Register) -> None:
    register("ray", RayExecutor)
