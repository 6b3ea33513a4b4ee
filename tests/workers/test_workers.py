"""Worker processes: one that dies takes its own task with it and nothing else; none outlives the daemon."""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.synchronize import SemLock
from pathlib import Path

import pytest

from batchd.domain.routing import PluginSpec
from batchd.errors import FileRefused, NodeLost, PluginError, WorkerLost
from batchd.workers.fork_server import PRELOADED
from batchd.workers.limits import LOAD_TIMEOUT, Hung
from batchd.workers.local import Workers
from batchd.workers.worker_plugins import load_plugins

from .tasks import (
    Unsendable,
    be_killed,
    double,
    double_without_memory_to_say_so,
    hang_in_c,
    known_vocabularies,
    leave,
    own_pid,
    raise_unsendable,
    refuse,
    twice,
    unsendable_result,
    wait_for,
    wait_for_ever,
)

PATIENCE = 60.0


@pytest.fixture
async def workers() -> AsyncIterator[Workers]:
    """Two workers."""
    pool = Workers(number=2)
    yield pool
    pool.close()


@contextmanager
def watched(pid: int) -> Iterator[int]:
    """A handle on a process, which stays that one's even if its number is given to another."""
    handle = os.pidfd_open(pid)
    try:
        yield handle
    finally:
        os.close(handle)


def ended(handle: int) -> bool:
    """Whether the process ends in good time."""
    readable, _, _ = select.select([handle], [], [], PATIENCE)
    return bool(readable)


def parent_of(pid: int) -> int:
    """The process that a process was forked from."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


async def announced(folder: Path, number: int = 1) -> list[int]:
    """The processes that have said who they are, once there are so many."""
    async with asyncio.timeout(PATIENCE):
        while len(found := [int(path.name) for path in folder.iterdir() if path.name.isdigit()]) < number:
            await asyncio.sleep(0.01)
    return found


async def test_work_is_done_elsewhere_and_its_result_comes_back(workers: Workers) -> None:
    assert await asyncio.gather(*(workers.run(double, number) for number in range(10))) == list(range(0, 20, 2))
    pids = set(await asyncio.gather(*(workers.run(own_pid, None) for _ in range(10))))
    assert os.getpid() not in pids
    assert 1 <= len(pids) <= 2


@pytest.mark.slow
async def test_a_result_arrives_though_the_system_has_no_memory_for_a_moment(workers: Workers) -> None:
    assert await asyncio.gather(*(workers.run(double_without_memory_to_say_so, each) for each in range(6))) == [
        2 * each for each in range(6)
    ]


async def test_a_worker_has_the_usual_vocabulary_before_it_needs_it(workers: Workers) -> None:
    assert await workers.run(known_vocabularies, None) == 1


async def test_processes_start_when_there_is_something_to_do() -> None:
    pool = Workers(number=5)
    try:
        assert await pool.run(double, 1) == 2
        assert len(pool.processes) == 1
    finally:
        pool.close()


@pytest.mark.parametrize(("task", "argument"), [(leave, 0), (leave, 3), (be_killed, None)])
async def test_a_task_that_ends_its_process_is_lost_and_no_other(
    workers: Workers, tmp_path: Path, task: object, argument: object
) -> None:
    os.mkfifo(tmp_path / "pipe")
    beside = asyncio.create_task(workers.run(wait_for, str(tmp_path / "pipe")))
    with pytest.raises(WorkerLost, match=task.__name__):  # type: ignore[attr-defined]
        await workers.run(task, argument)  # type: ignore[arg-type]
    # Both places are there again: one goes on with what it was at, the other has a new process.
    assert await workers.run(double, 4) == 8
    assert not beside.done()
    await asyncio.to_thread((tmp_path / "pipe").write_text, "done")
    assert await beside == "done"
    assert await asyncio.gather(*(workers.run(double, number) for number in range(6))) == list(range(0, 12, 2))


async def test_however_many_die_the_pool_goes_on(workers: Workers) -> None:
    outcomes = await asyncio.gather(
        *(workers.run(be_killed if number % 2 else double, number) for number in range(8)), return_exceptions=True
    )
    assert [isinstance(outcome, WorkerLost) for outcome in outcomes] == [False, True] * 4
    assert outcomes[::2] == [0, 4, 8, 12]
    assert len(workers.processes) <= 2


async def test_large_tasks_and_results_come_through_whole(workers: Workers) -> None:
    text = "x" * 3_000_000
    assert await asyncio.gather(*(workers.run(twice, text) for _ in range(3))) == [text * 2] * 3


async def test_what_cannot_be_sent_back_is_told(workers: Workers) -> None:
    with pytest.raises(Exception, match="pickle"):
        await workers.run(unsendable_result, None)
    assert await workers.run(double, 1) == 2


async def test_what_a_task_raises_comes_back_whole(workers: Workers) -> None:
    with pytest.raises(FileRefused, match="It cannot be read") as caught:
        await workers.run(refuse, "encoding")
    assert caught.value.code == "encoding"
    assert await workers.run(double, 1) == 2


async def test_an_exception_that_cannot_travel_is_told_in_words_and_kills_nobody(workers: Workers) -> None:
    with pytest.raises((PluginError, Unsendable), match="the reason in words"):
        await workers.run(raise_unsendable, None)


async def test_a_worker_that_dies_while_it_is_idle_is_nobodys_fault() -> None:
    pool = Workers(number=1)
    try:
        pid = await pool.run(own_pid, None)
        with watched(pid) as handle:
            os.kill(pid, signal.SIGKILL)
            assert await asyncio.to_thread(ended, handle)
        assert await pool.run(double, 1) == 2
    finally:
        pool.close()


async def test_a_cancelled_task_ends_its_process_and_makes_room(tmp_path: Path) -> None:
    pool = Workers(number=1)
    try:
        going = asyncio.create_task(pool.run(wait_for_ever, str(tmp_path)))
        [pid] = await announced(tmp_path)
        with watched(pid) as handle:
            going.cancel()
            with pytest.raises(asyncio.CancelledError):
                await going
            assert await asyncio.to_thread(ended, handle)
        assert await pool.run(double, 1) == 2
    finally:
        pool.close()


async def test_closing_ends_what_is_under_way(tmp_path: Path) -> None:
    pool = Workers(number=1)
    going = asyncio.create_task(pool.run(wait_for_ever, str(tmp_path)))
    [pid] = await announced(tmp_path)
    with watched(pid) as handle:
        pool.close()
        assert await asyncio.to_thread(ended, handle)
    with pytest.raises(WorkerLost):
        await going


DAEMON = """
import asyncio, sys
from batchd.workers.limits import LOAD_TIMEOUT, Hung
from batchd.workers.local import Workers
from batchd.workers.worker_plugins import load_plugins
from tests.workers.tasks import wait_for_ever

async def main():
    workers = Workers(number=2)
    await asyncio.gather(*(workers.run(wait_for_ever, sys.argv[1]) for _ in range(2)))

if __name__ == "__main__":
    asyncio.run(main())
"""


GIVEN_UP = """
import time
from pathlib import Path
from batchd.workers.fork_server import fork_server
from batchd.workers.process import WorkerProcess

if __name__ == "__main__":
    worker = WorkerProcess(fork_server(), Path("not there"))
    worker.start()
    while not worker.has_ended():
        time.sleep(0.01)
"""


@pytest.mark.slow
def test_a_worker_that_was_given_up_ends_without_a_word(tmp_path: Path) -> None:
    program = tmp_path / "daemon.py"
    program.write_text(GIVEN_UP)
    done = subprocess.run([sys.executable, str(program)], capture_output=True, timeout=PATIENCE)
    assert done.stderr == b""


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
async def test_workers_do_not_outlive_a_daemon_that_was_killed(tmp_path: Path, how: signal.Signals) -> None:
    program = tmp_path / "daemon.py"
    program.write_text(DAEMON)
    notes = tmp_path / "notes"
    notes.mkdir()
    # Where these tests are found, and batchd, whichever of them is being tested.
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])}
    daemon = subprocess.Popen([sys.executable, str(program), str(notes)], env=environment, stderr=subprocess.DEVNULL)
    try:
        workers = await announced(notes, 2)
        # Their parent too, which is the process that forks them.
        helpers = {*workers, *map(parent_of, workers)} - {daemon.pid}
        with ExitStack() as stack:
            handles = [stack.enter_context(watched(pid)) for pid in helpers]
            daemon.send_signal(how)
            assert daemon.wait(PATIENCE) == -how
            for handle in handles:
                assert await asyncio.to_thread(ended, handle)
    finally:
        daemon.kill()
        daemon.wait()


@pytest.mark.slow
def test_dead_workers_leave_no_semaphore_to_the_garbage_collector() -> None:
    """It frees them at any moment, also inside of a call of the resource tracker, which then refuses: seen in 3.13.0."""

    async def kill_two() -> None:
        pool = Workers(number=2)
        await asyncio.gather(*(pool.run(be_killed, None) for _ in range(2)), return_exceptions=True)
        pool.close()

    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        asyncio.run(kill_two())
        gc.collect()
        assert [each for each in gc.garbage if isinstance(each, SemLock)] == []
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


@pytest.mark.slow
async def test_closing_leaves_no_thread_behind(tmp_path: Path) -> None:
    """One that is just ending while the interpreter does has it print a traceback: seen at one of two hundred stops."""
    before = set(threading.enumerate())
    for _ in range(3):
        pool = Workers(number=3)
        working = asyncio.create_task(pool.run(wait_for_ever, str(tmp_path)))
        assert await pool.run(double, 2) == 4
        only_starting = asyncio.create_task(pool.run(wait_for_ever, str(tmp_path)))
        await asyncio.sleep(0)
        for task in (working, only_starting):
            task.cancel()
        await asyncio.gather(working, only_starting, return_exceptions=True)
        pool.close()
        left = {each.name for each in set(threading.enumerate()) - before if not each.name.startswith("asyncio_")}
        assert left == set()


def test_what_is_imported_ahead_is_there() -> None:
    # The fork server passes over what it cannot find, and each worker would import it for itself.
    assert [name for name in PRELOADED if importlib.util.find_spec(name) is None] == []


async def test_a_task_is_not_at_fault_if_its_process_ends_before_it_runs() -> None:
    pool = Workers(number=1)
    with ExitStack() as leaving:
        leaving.callback(pool.close)
        process = await pool.run(own_pid, None)
        os.kill(process, signal.SIGSTOP)
        given = asyncio.ensure_future(pool.run(double, 2))
        await asyncio.sleep(0)
        os.kill(process, signal.SIGKILL)
        with pytest.raises(NodeLost, match="ended while it had no task"):
            await asyncio.wait_for(given, PATIENCE)
        assert await pool.run(double, 2) == 4


async def test_a_plugin_whose_worker_was_killed_from_outside_is_not_blamed_at_once(
    workers: Workers, tmp_path: Path
) -> None:
    # The system kills a worker when memory is short, at any moment, and so while it loads a plugin.
    (tmp_path / "victim.py").write_text(
        "import os\n"
        f"for number in range(2):\n"
        f"    mark = f'{tmp_path}/killed.{{number}}'\n"
        "    if not os.path.exists(mark):\n"
        "        open(mark, 'w').close()\n"
        "        os.kill(os.getpid(), 9)\n"
    )
    blamed: list[str] = []
    workers.on_not_loaded = lambda plugin, why: blamed.append(plugin)
    spec = PluginSpec("", plugin_dir=str(tmp_path))
    for _ in range(2):
        with pytest.raises(NodeLost, match="ended while it loaded the plugin"):
            await workers.run(load_plugins, spec)
    await workers.run(load_plugins, spec)
    assert blamed == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seconds", "rows", "allowed", "row"),
    [(600.0, 3, 600.0, 2), (10.0, 3, 10.0, 2), (10.0, 0, LOAD_TIMEOUT, None), (600.0, 0, 600.0, None)],
)
async def test_code_that_hangs_in_c_is_told_with_the_limit_that_it_had(
    workers: Workers, seconds: float, rows: int, allowed: float, row: int | None
) -> None:
    with pytest.raises(Hung) as caught:
        await workers.run(hang_in_c, (seconds, rows))
    assert (caught.value.seconds, caught.value.row) == (allowed, row)
    assert await workers.run(double, 1) == 2


@pytest.mark.slow
async def test_a_plugin_that_hangs_in_c_while_it_is_loaded_is_told_with_the_limit_that_it_had(
    workers: Workers, tmp_path: Path
) -> None:
    (tmp_path / "stuck.py").write_text(
        "import faulthandler\n"
        "from tests.workers.tasks import notes_of_this_worker\n"
        "faulthandler.dump_traceback_later(0.05, exit=True, file=notes_of_this_worker())\n"
        "sum(range(10 ** 13))\n"
    )
    told: list[str] = []
    workers.on_not_loaded = lambda _, why: told.append(why)
    with pytest.raises(NodeLost, match=f"within {LOAD_TIMEOUT:g} s"):
        await workers.run(load_plugins, PluginSpec("", plugin_dir=str(tmp_path)))
    assert f"within {LOAD_TIMEOUT:g} s" in told[0]
