"""A sink. It writes the results as a Markdown table."""

from collections.abc import Iterable, Iterator, Mapping

from batchd import FileSink, Register, ResultRow, Shape, hookimpl


class MarkdownSink(FileSink):
    def heads(self, shape: Shape) -> Mapping[str, bytes]:
        names = [*shape.columns, *shape.answer_columns, "status"]
        return {".results.md": line(names) + line("---" for _ in names)}

    def lines(self, shape: Shape, rows: Iterable[ResultRow]) -> Iterator[tuple[str, bytes]]:
        for row in rows:
            answer = row.answer or [""] * len(shape.answer_columns)
            yield ".results.md", line([*row.values, *answer, row.status])


def line(cells: Iterable[object]) -> bytes:
    texts = (" ".join(str(cell).split()).replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(texts)} |\n".encode()


@hookimpl
def register_sinks(register: Register) -> None:
    register("markdown", MarkdownSink)
