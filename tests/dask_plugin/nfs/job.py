"""A job whose working files are on NFS, and whose server goes away in the middle. Runs in the emulated machine."""

from __future__ import annotations

import asyncio
import subprocess
import time
from pathlib import Path

from batchd.domain.lifecycle import Plan
from batchd.store.shared_spool import check_spool
from batchd.system.mounts import file_system
from batchd.testing.household import Household

SPOOL, ROWS = Path("/mnt/batchd"), 20


def serve(threads: int) -> None:
    """Let the server have so many threads; with none it is gone, and what the machine remembers of it as well."""
    subprocess.run(["rpc.nfsd", "-N", "3", "-V", "4.2", str(threads)], check=True)
    Path("/proc/sys/vm/drop_caches").write_text("3\n")


async def main() -> None:
    """Drop a file, take the server away before its questions are written, and bring it back."""
    assert file_system(SPOOL) == "nfs4", file_system(SPOOL)
    house = Household(Path("/tmp/house"), shared=SPOOL)
    house.drop("reviews/may.csv", "review\n" + "".join(f"row {number}\n" for number in range(ROWS)))
    async with house.living() as living:
        await living.take_in()
        while not any(isinstance(due.action, Plan) for due in (await living.engine.look()).due):
            await living.step()
        serve(0)
        began = time.monotonic()
        for _ in range(10):  # the first failures may pass by themselves, and are not said
            print("the server is gone:", await living.step(), flush=True)
            if said := await living.context.store.event_log.conditions():
                break
        print(f"after {time.monotonic() - began:.0f} s:", {str(each): text for each, text in said.items()}, flush=True)
        assert said, "nothing was said"
        serve(2)
        await living.drain()
        assert not await living.context.store.event_log.conditions()
    lines = house.outbox()["reviews/may.results.csv"].decode().splitlines()
    assert lines[1:] == [f"row {number},re: Review: row {number},ok," for number in range(ROWS)], lines
    assert set(house.service.executed.values()) == {1}, house.service.executed
    check_spool(house.folder / "state", SPOOL)
    print("all is well", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
