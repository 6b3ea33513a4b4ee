"""The executor `dask`: tasks go to the nodes of a Dask cluster, which runs each at least once.

batchd tells Dask which nodes may take a task: those that have what the daemon has. Dask moves the tasks of a node that
went away to another one. This module looks each second for what Dask cannot know: new nodes, and tasks whose nodes are
all gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import pickle
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchd import Executor, Node, NodeLost, OptionalPackage, PluginError, WorkerLost

from .settings import DaskSettings, parts

if TYPE_CHECKING:
    from distributed import Client, Future

logger = logging.getLogger("batchd.dask")

_PACKAGE = OptionalPackage("distributed", "dask", "executor dask", where="where batchd runs and on each node")
CONNECT_WITHIN, LOOK_EVERY = 5.0, 1.0
ASK_EVERY = 15.0
"""Seconds after which a node is asked again: it may have lost a share, or have got what was missing."""
ANSWER_WITHIN = 20.0
"""Seconds for a node to say what is installed there; the first time it imports batchd."""
PATIENCE = 30.0
"""Seconds that a task waits for a usable node, before `NodeLost` is raised."""
OUTCOMES_STAY = 86_400.0
"""Seconds that outcomes stay in the spool if no daemon waits for them."""
MAX_MOVES = 5
"""How often a task is sent while the scheduler or all its nodes go away, before `NodeLost` is raised."""


@dataclass(slots=True)
class _Sent:
    future: Future[bytes]
    allowed: frozenset[str]
    moved: bool = False


class DaskExecutor(Executor[DaskSettings]):
    """Runs tasks on a Dask cluster."""

    Settings = DaskSettings
    ask_every, connect_within = ASK_EVERY, CONNECT_WITHIN

    def __init__(self, settings: DaskSettings) -> None:
        super().__init__(settings)
        self._client: Client | None = None
        self._nodes: dict[str, Node] = {}
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._asked: dict[str, float] = {}
        self._sent: dict[str, _Sent] = {}
        self._usable = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None
        self._identity = uuid.uuid4().hex
        self._renewed = 0
        self._ending: set[asyncio.Future[Any]] = set()
        self._counting = False
        self._outcomes: Path | None = None
        self._closed = False

    async def aopen(self) -> None:
        """Connect, and ask the nodes what they have. If the scheduler is not there yet, the tasks wait for it."""
        _PACKAGE.require(PluginError)
        self._counting = self.number == 0
        await asyncio.to_thread(__import__, "batchd_dask.node")
        await self._look_once()
        if self._asking:
            await asyncio.wait(self._asking.values(), timeout=ANSWER_WITHIN)
        self.number = self.number or os.cpu_count() or 1
        self._watching = asyncio.create_task(self._watch(), name="watch the nodes")

    async def aclose(self) -> None:
        """Leave the cluster, which then forgets our tasks."""
        self._closed = True
        ending = [task for task in (self._watching, *self._asking.values(), *self._ending) if task is not None]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        self._usable.set()
        if self._client is not None:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(self._client.close(timeout=1), 3)

    def renew(self) -> None:
        """Ask the nodes again, and have them load their plugins again."""
        self._renewed += 1
        self._ask_all_again()

    def nodes(self) -> Sequence[Node]:
        """All nodes of the cluster, including those that are not used."""
        return sorted(self._nodes.values(), key=lambda node: node.name)

    async def run(self, function: Callable[[Any], Any], task: Any) -> Any:
        """Run the task on a usable node."""
        payload, kept = pickle.dumps((function, task)), await self._kept()
        try:
            for _ in range(MAX_MOVES):
                client, allowed = await self._place()
                outcome = await self._tried(client, allowed, _name(function, task), payload, kept)
                if outcome is not None:
                    done, error = pickle.loads(outcome)  # noqa: S301  # our own code made it, on a node of the operator
                    if error is not None:
                        raise error
                    return done
        finally:
            if kept is not None:
                self._beside(asyncio.to_thread(_remove, kept))
        raise NodeLost(f"The nodes, or the scheduler, went away {MAX_MOVES} times while {function.__name__} ran there.")

    # --- one task ------------------------------------------------------------------------------------------------

    async def _place(self) -> tuple[Client, frozenset[str]]:
        """Wait for usable nodes. Return the client, and the addresses of the nodes."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await self._usable.wait()
        allowed = frozenset(address for address, node in self._nodes.items() if not node.fault)
        if self._closed or self._client is None or not allowed:
            raise NodeLost(self.trouble or "The executor was closed.")
        return self._client, allowed

    async def _tried(
        self, client: Client, allowed: frozenset[str], name: str, payload: bytes, kept: Path | None
    ) -> bytes | None:
        """Send the task and return its outcome, None if it must be sent again."""
        from distributed import CancelledError
        from distributed.scheduler import KilledWorker

        from .node import work

        on_node: Callable[..., Any] = work
        key = f"{name}-{uuid.uuid4().hex}"
        generation = f"{self._identity} {self._renewed}"
        terms = {"key": key, "pure": False, "workers": list(allowed), "allow_other_workers": False}
        try:
            sent = _Sent(client.submit(on_node, generation, key, payload, kept, **terms), allowed)
        except Exception:
            if client.status == "running":
                raise
            self._ask_all_again()
            return None
        self._sent[key] = sent
        try:
            outcome: bytes = await sent.future
        except KilledWorker as error:
            raise WorkerLost(f"Node after node went away while {name.partition(' ')[0]} ran there: {error}") from None
        except asyncio.CancelledError:
            self._forget(client, key, sent)
            raise
        except (CancelledError, OSError):
            logger.debug("%s is sent again", key)
            if client.status != "running":
                self._ask_all_again()
            return None
        else:
            return outcome
        finally:
            del self._sent[key]
            with contextlib.suppress(Exception):  # the client may be closed
                sent.future.release()

    async def _kept(self) -> Path | None:
        """The file for the outcome of a task, in the spool; None without one."""
        if self._outcomes is None and self.hello.spool is not None:
            folder = Path(self.hello.spool) / "outcomes"
            with contextlib.suppress(OSError):  # the share may be away; the next task tries again
                await asyncio.to_thread(_make_room, folder)
                self._outcomes = folder
        return self._outcomes / uuid.uuid4().hex if self._outcomes is not None else None

    def _ask_all_again(self) -> None:
        """Forget the nodes, so that each is asked again before it is used."""
        self._usable.clear()
        self._nodes.clear()
        self._asked.clear()

    def _forget(self, client: Client, key: str, sent: _Sent) -> None:
        """Cancel a task that batchd no longer waits for."""
        from .node import stop

        async def end() -> None:
            with contextlib.suppress(Exception):  # it is harmless if it runs on
                await client.cancel([sent.future])
                await client.run(stop, key, workers=list(sent.allowed & self._nodes.keys()), on_error="ignore")

        self._beside(end())

    def _beside(self, work: Any) -> None:
        if not self._closed:
            task = asyncio.ensure_future(work)
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    # --- the nodes -----------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            try:
                await self._look_once()
            except PluginError as error:
                self.trouble = str(error)

    async def _look_once(self) -> None:
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                await self._look()
        except PluginError:
            self._usable.clear()
            raise
        except Exception as error:  # noqa: BLE001  # whatever is at that address may answer anything
            # The nodes are not forgotten: their tasks may still come back.
            self._usable.clear()
            self.trouble = f"The scheduler {self.settings.address} cannot be reached: {said(error)}. Tasks wait for it."

    async def _look(self) -> None:
        if self._client is None or self._client.status in {"closed", "closing"}:
            self._client = await connected(self.settings, self.connect_within)
            self._ask_all_again()
        client = self._client
        if client.status != "running":
            raise OSError("the connection was lost")
        there: dict[str, int] = await client.nthreads()
        running = await client.processing()
        for address in self._nodes.keys() - there.keys():
            del self._nodes[address], self._asked[address]
        now = asyncio.get_running_loop().time()
        known = {address for address in self._nodes if now < self._asked[address] + self.ask_every}
        for address in there.keys() - known - self._asking.keys():
            asking = asyncio.create_task(self._ask(client, address, self._renewed), name="ask a node")
            self._asking[address] = asking
            asking.add_done_callback(lambda _, address=address: self._asking.pop(address, None))  # type: ignore[misc]
        for address, node in self._nodes.items():
            self._nodes[address] = replace(node, running=tuple(shown(key) for key in running.get(address, ())))
        for sent in self._sent.values():
            if sent.allowed.isdisjoint(there) and not sent.moved:
                sent.moved = True
                self._beside(client.cancel([sent.future]))
        self._settle()

    async def _ask(self, client: Client, address: str, renewed: int) -> None:
        from .node import hello

        before = self._nodes.get(address)
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                node = (await client.run(hello, self.hello, workers=[address]))[address]
        except Exception as error:  # noqa: BLE001  # what is installed there may be anything
            fault = f"it does not say what it has ({said(error)}). Install batchd[dask] there."
            if isinstance(error, TimeoutError):
                fault = f"it does not answer within {ANSWER_WITHIN:.0f} s."
            node = replace(before or Node(address, "", ""), fault=fault)
        if renewed != self._renewed:
            return  # renewed meanwhile, so the node is asked again
        self._asked[address] = asyncio.get_running_loop().time()
        self._nodes[address] = replace(node, running=before.running) if before is not None else node
        self._settle()

    def _settle(self) -> None:
        slots = sum(node.slots for node in self._nodes.values() if not node.fault)
        if slots:
            if self._counting:
                self.number = slots
            self.trouble = ""
            self._usable.set()
            return
        self._usable.clear()
        if not self._nodes:
            self.trouble = (
                f"The scheduler {self.settings.address} has no workers. Start some: dask worker {self.settings.address}"
            )
        else:
            first = self.nodes()[0]
            self.trouble = f"No node can be used. {first.name}: {first.fault}"


def _make_room(folder: Path) -> None:
    """Make the folder, and remove old outcomes that a killed daemon has left."""
    folder.mkdir(mode=0o700, exist_ok=True)
    before = time.time() - OUTCOMES_STAY
    for each in folder.iterdir():
        if each.stat().st_mtime < before:
            _remove(each)


def _remove(file: Path) -> None:
    with contextlib.suppress(OSError):  # the next start tries again
        file.unlink(missing_ok=True)


def _name(function: Callable[[Any], Any], task: Any) -> str:
    """Name the task for people who look at the cluster."""
    job, first = getattr(task, "job", None), getattr(task, "first", None)
    where = f" of job {job}" if isinstance(job, str) else ""
    since = f" from row {first}" if isinstance(first, int) else ""
    return f"{function.__name__}{where}{since}".replace("-", "_")


def shown(key: Any) -> str:
    """The name of one of our tasks, from its key; else the key."""
    return str(key).rpartition("-")[0] or str(key)


async def connected(settings: DaskSettings, within: float) -> Client:
    """A client of the scheduler. Raises OSError if it is not there."""
    from distributed import Client

    _quiet()
    try:
        client = Client(settings.address, asynchronous=True, set_as_default=False, timeout=within, name="batchd")
    except (TypeError, ValueError) as error:
        raise PluginError(f"The executor dask cannot use the address {settings.address}: {error}") from None
    try:
        await asyncio.wait_for(client, within + 1)
    except (TypeError, RuntimeError) as error:
        await client.close(timeout=1)
        if parts(settings.address)[0] in {"tls", "wss"}:
            raise PluginError(
                f"The executor dask cannot use {settings.address}: {error}. Certificates are in the configuration of "
                "Dask: distributed.comm.tls, in a file of ~/.config/dask or in DASK_CONFIG."
            ) from None
        raise
    except BaseException:
        await client.close(timeout=1)
        raise
    return client


def said(error: BaseException) -> str:
    """What went wrong, in one line."""
    return " ".join(str(error).split())[:300] or type(error).__name__


def _quiet() -> None:
    """Silence what Dask logs about connections: batchd says it in its own log."""
    logging.getLogger("distributed").handlers.clear()
    for name in ("distributed.client", "distributed.core", "distributed.comm", "distributed.batched"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
