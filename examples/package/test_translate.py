from batchd_translate import TranslatePrompt, TranslateSettings

from batchd import Row
from batchd.testing.conformance import PromptBuilderConformance


class TestTranslate(PromptBuilderConformance):
    def make(self) -> TranslatePrompt:
        return TranslatePrompt(TranslateSettings(column="text", into="French"))

    def rows(self) -> list[Row]:
        return [Row(0, ["text"], ["Good morning."]), Row(1, ["text"], ["Chào buổi sáng."])]


def test_the_prompt_names_the_language() -> None:
    prompt = TranslatePrompt(TranslateSettings(column="text", into="French"))
    body = prompt.build(Row(0, ["text"], ["Good morning."]))
    assert isinstance(body, dict)
    assert "French" in body["messages"][0]["content"]
