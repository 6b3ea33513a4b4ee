"""A route whose requests a service would refuse, one and all, is refused when the configuration is read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from batchd.config.load import load
from batchd.errors import ConfigError
from batchd.plugin.catalogue import Catalogue

from .conftest import refused

Write = Callable[[str], Path]

HEAD = """\
[providers.acme]
plugin = "openai"
base_url = "https://acme.example/v1"
api_key = "env:ACME_KEY"
[routes.reviews]
provider = "acme"
model = "small"
"""
TEMPLATE = 'prompt = { plugin = "template", user = "{{ review }}" }\n'

PLUGINS = """
from batchd import PromptBuilder, hookimpl


class Embed(PromptBuilder):
    endpoints = ("/v1/embeddings", "/v1/moderations")

    def build(self, row):
        return {"input": row["text"]}


class Anything(Embed):
    endpoints = ()


class Odd(Embed):
    endpoints = 7


class Odder(Embed):
    endpoints = (7,)


class Secretive(Embed):
    def __init__(self, settings):
        raise RuntimeError("not today")


@hookimpl
def register_prompt_builders(register):
    for each in (Embed, Anything, Odd, Odder, Secretive):
        register(each.__name__.lower(), each)
"""


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    folder = tmp_path_factory.mktemp("plugins.d")
    (folder / "embed.py").write_text(PLUGINS)
    return Catalogue.load(folder)


@pytest.mark.parametrize(
    ("route", "place", "says"),
    [
        (
            'endpoint = "/v1/embeddings"\n' + TEMPLATE,
            "8: [routes.reviews] endpoint",
            (
                'is "/v1/embeddings", but the prompt "template" writes requests for /v1/chat/completions, and the service '
                "would refuse every row; write that endpoint, or another prompt."
            ),
        ),
        ('endpoint = "/v1/responses"\n' + TEMPLATE, "8: [routes.reviews] endpoint", 'is "/v1/responses", but'),
        (
            'endpoint = "/v1/embeddings"\nprompt = { plugin = "passthrough" }',
            "endpoint",
            '"passthrough" writes requests',
        ),
        ('prompt = { plugin = "passthrough", url = "/v1/embeddings" }', "endpoint", "for /v1/embeddings, and"),
        ('prompt = { plugin = "embed" }', "endpoint", "for /v1/embeddings or /v1/moderations, and"),
        (TEMPLATE + "params = { stream = true }", "[routes.reviews.params] stream", "is not possible in a batch"),
        (TEMPLATE + "params = { n = 3 }", "[routes.reviews.params] n", "asks, and pays, for more than one answer"),
    ],
)
def test_it_is_told_in_words(catalogue: Catalogue, write: Write, route: str, place: str, says: str) -> None:
    [line] = refused(write(HEAD + route), catalogue)
    assert place in line
    assert says in line


@pytest.mark.parametrize(
    "route",
    [
        TEMPLATE,
        TEMPLATE + "params = { n = 1 }",
        'prompt = { plugin = "passthrough" }\nparams = { n = 3 }',
        'endpoint = "/v4/chat/completions"\n' + TEMPLATE,
        'endpoint = "/chat/completions"\n' + TEMPLATE,
        # What batchd does not know is for the operator to know.
        'endpoint = "/v1/chat/ds-test"\n' + TEMPLATE,
        'prompt = { plugin = "passthrough" }',
        'endpoint = "/v1/embeddings"\nprompt = { plugin = "passthrough", url = "/v1/embeddings" }',
        'endpoint = "/my/own"\nprompt = { plugin = "passthrough", url = "/my/own" }',
        'endpoint = "/v1/moderations"\nprompt = { plugin = "embed" }',
        'endpoint = "/v1/videos"\nprompt = { plugin = "anything" }',
        'endpoint = "/v1/videos"\nprompt = { plugin = "odd" }',
        'endpoint = "/v1/videos"\nprompt = { plugin = "odder" }',
        'endpoint = "/v1/videos"\nprompt = { plugin = "secretive" }',
        TEMPLATE + "params = { stream = false }",
    ],
)
def test_what_fits_is_accepted(catalogue: Catalogue, write: Write, route: str) -> None:
    load(write(HEAD + route), catalogue)


def test_a_prompt_with_other_faults_is_told_of_those(catalogue: Catalogue, write: Write) -> None:
    route = 'endpoint = "/v1/embeddings"\nprompt = { plugin = "template", user = "{{" }'
    assert "endpoint" not in " ".join(refused(write(HEAD + route), catalogue))


@pytest.mark.field("route refusals")
@pytest.mark.parametrize(
    ("prompt", "params", "refused"),
    [
        (
            'schema = { properties = { mood = { type = "string" } } }',
            'response_format = { type = "json_object" }',
            True,
        ),
        (
            'schema = { properties = { mood = { type = "string" } } }, schema_mode = "prompt"',
            'response_format = { type = "json_object" }',
            False,
        ),
        ("", 'response_format = { type = "json_object" }', False),
        ("", "messages = []", True),
        ("", "temperature = 0", False),
    ],
)
def test_params_that_the_prompt_would_override_are_refused(
    write: Write, prompt: str, params: str, refused: bool
) -> None:
    comma = ", " if prompt else ""
    table = f'prompt = {{ plugin = "template", user = "{{{{ review }}}}"{comma}{prompt} }}\n'
    path = write(f"{HEAD}params = {{ {params} }}\n{table}")
    if not refused:
        load(path, Catalogue.load())
        return
    with pytest.raises(ConfigError, match="would be overridden"):
        load(path, Catalogue.load())
