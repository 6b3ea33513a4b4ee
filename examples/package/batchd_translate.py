"""A prompt builder with its own settings, as an installable package."""

from batchd import Failure, PromptBuilder, Settings, hookimpl


class TranslateSettings(Settings):
    column: str
    into: str = "English"


class TranslatePrompt(PromptBuilder):
    Settings = TranslateSettings
    columns = ("translation",)

    def needs(self):
        return (self.settings.column,)

    def build(self, row):
        text = row[self.settings.column]
        if not text or not isinstance(text, str):
            return Failure("no_text", f"There is no text in the column “{self.settings.column}”.")
        system = f"Translate into {self.settings.into}. Answer with the translation alone."
        return {"messages": [{"role": "system", "content": system}, {"role": "user", "content": text}]}

    def parse(self, response):
        if not response.answer:
            return Failure("no_text", "The model answered without text.", transient=True)
        return {"translation": response.answer.strip()}


@hookimpl
def register_prompt_builders(register):
    register("translate", TranslatePrompt)
