"""A prompt builder with its own settings, as an installable package."""

from collections.abc import Iterable, Mapping

from batchd import Body, Failure, Json, PromptBuilder, Register, Response, Row, Settings, hookimpl


class TranslateSettings(Settings):
    column: str
    into: str = "English"


class TranslatePrompt(PromptBuilder[TranslateSettings]):
    Settings = TranslateSettings
    columns = ("translation",)

    def needs(self) -> Iterable[str]:
        return (self.settings.column,)

    def build(self, row: Row) -> Body | Failure:
        text = row[self.settings.column]
        if not text or not isinstance(text, str):
            return Failure("no_text", f"There is no text in the column “{self.settings.column}”.")
        system = f"Translate into {self.settings.into}. Answer with the translation alone."
        return {"messages": [{"role": "system", "content": system}, {"role": "user", "content": text}]}

    def parse(self, response: Response) -> Mapping[str, Json] | Failure:
        if not response.answer:
            return Failure("no_text", "The model answered without text.", transient=True)
        return {"translation": response.answer.strip()}


@hookimpl
def register_prompt_builders(register: Register) -> None:
    register("translate", TranslatePrompt)
