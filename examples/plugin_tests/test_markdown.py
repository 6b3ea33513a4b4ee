from markdown import MarkdownSink

from batchd import Settings
from batchd.testing.conformance import SinkConformance


class TestMarkdown(SinkConformance):
    def make(self) -> MarkdownSink:
        return MarkdownSink(Settings())
