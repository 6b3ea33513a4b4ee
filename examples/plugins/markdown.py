"""A sink. It puts a table in Markdown into the outbox."""

import asyncio

from batchd import Sink, hookimpl


class MarkdownSink(Sink):
    async def publish(self, job, rows):
        await asyncio.to_thread(write, job.outbox, rows)


def write(outbox, rows):
    with outbox.publishing(".results.md") as file:
        names = [*rows.columns, *rows.answer_columns, "status"]
        file.write(line(names) + line("---" for _ in names))
        for row in rows:
            answer = row.answer or [""] * len(rows.answer_columns)
            file.write(line([*row.values, *answer, row.status]))


def line(cells):
    texts = (" ".join(str(cell).split()).replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(texts)} |\n".encode()


@hookimpl
def register_sinks(register):
    register("markdown", MarkdownSink)
