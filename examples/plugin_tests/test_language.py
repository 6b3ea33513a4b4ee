from collections.abc import Sequence

from language import LanguagePrompt

from batchd import Row, Settings
from batchd.testing.conformance import PromptBuilderConformance


class TestLanguage(PromptBuilderConformance):
    def make(self) -> LanguagePrompt:
        return LanguagePrompt(Settings())

    def rows(self) -> Sequence[Row]:
        return [Row(0, ["text"], ["Good morning."]), Row(1, ["text"], ["Chào buổi sáng."])]

    def answers(self) -> Sequence[str]:
        return ["Vietnamese", " English.\n"]
