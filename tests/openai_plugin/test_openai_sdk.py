"""The SDK's types are imported when something asks for one; nobody else notices."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.third]

PACKAGES = ("openai.types", "openai.types.chat", "openai.types.responses", "openai.types.shared_params")
NAMES = f"""
import importlib, json, re, sys
names = {{}}
for package in {PACKAGES}:
    importlib.import_module(package)
    scope = {{}}
    exec(f"from {{package}} import *", scope)
    for each in ("__builtins__", "annotations"):
        scope.pop(each, None)
    # What was imported before is there, too, as in any package.
    modules = {{each for each in scope if f"{{package}}.{{each}}" in sys.modules}}
    names[package] = {{each: re.sub(" at 0x[0-9a-f]+", "", repr(what)) for each, what in scope.items() if each not in modules}}
print(json.dumps(names))
"""


def printed_by(code: str) -> str:
    """What a Python of its own prints."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_calls_for_batches_import_a_tenth_of_the_types() -> None:
    count = "import sys; print(sum(each.startswith('openai.types.') for each in sys.modules))"
    ours, whole = (int(printed_by(f"import {what}; {count}")) for what in ("batchd_openai.client", "openai"))
    assert ours < whole / 5, f"{ours} of {whole}"


def test_every_type_can_be_had_as_without_us() -> None:
    ours, whole = (
        json.loads(printed_by(f"{begin}\n{NAMES}")) for begin in ("import batchd_openai.sdk", "import openai")
    )
    assert ours == whole
    assert all(len(names) > 5 for names in whole.values())


def test_every_resource_of_a_client_can_be_used() -> None:
    code = """
import batchd_openai.sdk, openai
client = openai.OpenAI(api_key="none", admin_api_key="none")
for name in dir(type(client)):
    if not name.startswith("_"):
        getattr(client, name)
try:
    openai.types.NoSuchType
except AttributeError as error:
    print(error)
"""
    assert printed_by(code) == "module 'openai.types' has no attribute 'NoSuchType'\n"
