"""`batchd try`: a few rows asked now, without a daemon."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from .cli_kit import process
from .test_running import real_house, reviews

pytestmark = pytest.mark.slow


def test_answers_side_by_side_and_nothing_delivered(tmp_path: Path) -> None:
    house = real_house(tmp_path / "house")
    file = reviews(tmp_path / "may.csv", "good", "bad", "fine")
    config = ("--config", house / "config.toml")
    said = process(*config, "try", file, "--rows", "2", FAKE_KEY="x")
    assert said.status == 2
    assert "fake takes batches only" in said.err
    said = process(*config, "try", file, "--rows", "2", "--yes", FAKE_KEY="x")
    assert said.status == 3, said
    for words in ("row 1: good", "fake/small: re: Review: good", "failed: The model declined.", "the whole file costs"):
        assert words in said.out
    question = tmp_path / "question.txt"
    question.write_text("Is it well? {{ review }}")
    two = ("--model", "small", "--model", "large")
    found = process(
        *config, "try", file, "--rows", "1", "--yes", *two, "--prompt", question, "--json", FAKE_KEY="x"
    ).json()
    assert [each["answers"][0]["answer"] for each in found["models"]] == [{"answer": "re: Is it well? good"}] * 2
    assert found["agreement"] == {"rows": 1, "same": 1, "columns": {"answer": 1}}
    assert not list((house / "outbox").rglob("*.csv"))


@pytest.mark.slow(seconds=5)
def test_pictures_in_a_folder_and_in_an_archive_are_shown(tmp_path: Path) -> None:
    house = real_house(tmp_path / "house")
    service = house / "plugins.d" / "service.py"
    # It says how many letters of a picture came.
    service.write_text(
        service.read_text().replace(
            'text = body["messages"][-1]["content"]',
            'text = body["messages"][-1]["content"]\n'
            '    text = "%d letters" % len(text[-1]["image_url"]["url"]) if isinstance(text, list) else text',
        )
    )
    settings = house / "config.toml"
    text = settings.read_text().replace(
        'model = "small"\n', 'model = "small"\nformats = ["csv", "zip"]\nfiles = "../photos"\n'
    )
    settings.write_text(text + 'images = ["photo"]\n')
    photo = b"\x89PNG\r\n\x1a\n" + b"\0" * 6_000
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.png").write_bytes(photo[:3_000])
    table = "review,photo\nA cat,cat.png\n"
    (tmp_path / "may.csv").write_text(table)
    with zipfile.ZipFile(tmp_path / "may.zip", "w") as archive:
        archive.writestr("may.csv", table)
        archive.writestr("cat.png", photo[:6_000])
    for name, letters in (("may.csv", 4_022), ("may.zip", 8_022)):
        said = process("--config", settings, "try", tmp_path / name, "--yes", "--json", FAKE_KEY="x").json()
        [answer] = said["models"][0]["answers"]
        assert answer["answer"] == {"answer": f"re: {letters} letters"}, said
