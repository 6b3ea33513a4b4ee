"""Several tables at once, with await."""

import asyncio

from batchd.client import AsyncClient

TABLES = {
    "may": [{"review": "Arrived in two days, works well."}],
    "june": [{"review": "The handle broke at once."}],
}


async def main() -> None:
    async with AsyncClient("http://127.0.0.1:8321") as client:
        jobs = [await client.submit(rows, route="reviews", name=name) for name, rows in TABLES.items()]
        await asyncio.gather(*(job.wait() for job in jobs))
        for job in jobs:
            async for row in job.results():
                print(job.source, row.answer)


asyncio.run(main())
