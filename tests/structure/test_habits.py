"""The files around the code agree with it: hosted CI, the checks before a commit, the templates."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
WORKFLOWS = {path.name: path.read_text("utf-8") for path in (ROOT / ".github" / "workflows").glob("*.yml")}
PRE_COMMIT = (ROOT / ".pre-commit-config.yaml").read_text("utf-8")
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")


def test_hosted_ci_runs_every_python_that_is_supported() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    supported = re.findall(r"Python :: (3\.\d+)", "\n".join(project["classifiers"]))
    [matrix] = re.findall(r"python: \[(.+)\]", WORKFLOWS["ci.yml"])
    assert re.findall(r'"([\d.]+)"', matrix) == supported


def test_every_action_is_pinned_to_a_commit() -> None:
    uses = [line for text in WORKFLOWS.values() for line in re.findall(r"uses: (.+)", text)]
    assert len(uses) > 3
    assert [line for line in uses if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v[\d.]+", line)] == []


def test_a_workflow_may_read_the_source_and_nothing_else() -> None:
    for text in WORKFLOWS.values():
        assert re.findall(r"^permissions:\n((?:  .+\n)+)", text, re.MULTILINE) == ["  contents: read\n"]
        assert text.count("permissions:") == 1
        assert text.count("persist-credentials: false") == text.count("actions/checkout@")


def test_hosted_ci_calls_targets_that_there_are() -> None:
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    called = {target for text in WORKFLOWS.values() for target in re.findall(r"run: make ([a-z-]+)", text)}
    assert {"lint", "wheel", "test"} <= called <= targets


def test_the_checks_before_a_commit_are_those_of_make_lint_and_fetch_nothing() -> None:
    assert re.findall(r"- repo: (.+)", PRE_COMMIT) == ["local"]
    assert set(re.findall(r"language: (.+)", PRE_COMMIT)) == {"system"}
    lint = MAKEFILE.partition("\nlint:")[2].partition("\n\n")[0]
    ours = re.findall(r"\$\(BIN\)/([\w-]+(?: check| format)?)", lint)
    assert re.findall(r"entry: \.venv/bin/([\w-]+(?: check| format)?)", PRE_COMMIT) == ours


def test_the_pythons_that_make_looks_for_are_the_supported_ones() -> None:
    from tests import pythons

    assert pythons.supported()[0] == "3.11"
    assert pythons.find("3.0") is None
    here = f"{pythons.sys.version_info.major}.{pythons.sys.version_info.minor}"
    assert (pythons.probe(Path(pythons.sys.executable)) or "").startswith(f"{here}.")
