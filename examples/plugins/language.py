"""A prompt builder. It asks for the language of a text and expects one word as the answer."""

from collections.abc import Iterable, Mapping

from batchd import Body, Failure, Json, PromptBuilder, Register, Response, Row, hookimpl


class LanguagePrompt(PromptBuilder):
    columns = ("language",)

    def needs(self) -> Iterable[str]:
        return ("text",)

    def build(self, row: Row) -> Body | Failure:
        if not row["text"]:
            return Failure("no_text", "There is no text in this row.")
        question = f"Which language is this? Answer with one word.\n\n{row['text']}"
        return {"messages": [{"role": "user", "content": question}]}

    def parse(self, response: Response) -> Mapping[str, Json] | Failure:
        words = (response.answer or "").split()
        if len(words) != 1:
            return Failure("not_one_word", "The model did not answer with one word.", transient=True)
        return {"language": words[0].strip(".")}


@hookimpl
def register_prompt_builders(register: Register) -> None:
    register("language", LanguagePrompt)
