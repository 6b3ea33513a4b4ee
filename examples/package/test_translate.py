from batchd_translate import TranslatePrompt

from batchd import Row
from batchd.testing.conformance import PromptBuilderConformance


class TestTranslate(PromptBuilderConformance):
    def make(self):
        return TranslatePrompt(TranslatePrompt.Settings(column="text", into="French"))

    def rows(self):
        return [Row(0, ["text"], ["Good morning."]), Row(1, ["text"], ["Chào buổi sáng."])]


def test_the_prompt_names_the_language():
    prompt = TranslatePrompt(TranslatePrompt.Settings(column="text", into="French"))
    assert "French" in prompt.build(Row(0, ["text"], ["Good morning."]))["messages"][0]["content"]
