"""A sink. It writes the results as a Markdown table."""

from batchd import FileSink, hookimpl


class MarkdownSink(FileSink):
    def heads(self, shape):
        names = [*shape.columns, *shape.answer_columns, "status"]
        return {".results.md": line(names) + line("---" for _ in names)}

    def lines(self, shape, rows):
        for row in rows:
            answer = row.answer or [""] * len(shape.answer_columns)
            yield ".results.md", line([*row.values, *answer, row.status])


def line(cells):
    texts = (" ".join(str(cell).split()).replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(texts)} |\n".encode()


@hookimpl
def register_sinks(register):
    register("markdown", MarkdownSink)
