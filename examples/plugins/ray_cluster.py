"""An executor for those who have a Ray cluster: `pip install ray`, and `[workers] executor = "ray"`."""

import asyncio

from batchd import Executor, NodeLost, Settings, WorkerLost, describe_node, hookimpl, run_task


class RaySettings(Settings):
    address: str = "auto"


class RayExecutor(Executor):
    Settings = RaySettings

    async def aopen(self):
        import ray

        self.ray = ray
        await asyncio.to_thread(ray.init, self.settings.address, log_to_driver=False, ignore_reinit_error=True)
        nodes = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
        self.found = await asyncio.gather(*(self.ask(node["NodeID"], int(node["Resources"]["CPU"])) for node in nodes))
        # Ray chooses among all of its nodes, so each of them must have what batchd has here.
        self.trouble = next((f"Node {node.name}: {node.fault}" for node in self.found if node.fault), "")
        self.number = self.number or sum(node.slots for node in self.found) or 1

    async def ask(self, node, slots):
        there = self.ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(node, soft=False)
        asked = self.ray.remote(describe_node).options(scheduling_strategy=there)
        return await asked.remote(self.hello, node[:8], slots=slots)

    async def run(self, function, task):
        from ray.exceptions import NodeDiedError, OutOfMemoryError, RayTaskError, WorkerCrashedError

        if self.trouble:
            raise NodeLost(self.trouble)
        going = self.ray.remote(run_task).options(max_retries=0).remote(function, task)
        try:
            return await going
        except RayTaskError as error:
            raise error.cause from None
        except NodeDiedError as error:
            raise NodeLost(f"The machine of {function.__name__} went away: {error}") from None
        except (WorkerCrashedError, OutOfMemoryError) as error:
            raise WorkerLost(f"The process of {function.__name__} died: {error}") from None
        except asyncio.CancelledError:
            self.ray.cancel(going, force=True)
            raise

    def nodes(self):
        return self.found

    async def aclose(self):
        await asyncio.to_thread(self.ray.shutdown)


@hookimpl
def register_executors(register):
    register("ray", RayExecutor)
