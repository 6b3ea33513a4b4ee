"""Files that the configuration names: read once, with it, and part of each job from then on."""

from __future__ import annotations

from pathlib import Path

import pytest

from batchd.app.dropping import asked_beside
from batchd.config.load import load
from batchd.domain.routing import Route
from batchd.errors import ConfigError, FileRefused
from batchd.plugin.catalogue import Catalogue

CONFIG = """
[providers.openai]
api_key = "none"
base_url = "http://127.0.0.1:9/v1"

[routes.reviews]
provider = "openai"
model = "m"
[routes.reviews.prompt]
plugin = "template"
user = "{{ review }}"
examples = "few/good.csv"
"""


def test_examples_are_read_beside_the_configuration_and_go_into_the_snapshot(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(CONFIG)
    with pytest.raises(
        ConfigError, match=r"\] examples: cannot be used: The file of examples .*few/good.csv cannot be"
    ):
        load(path, Catalogue.load())
    (tmp_path / "few").mkdir()
    table = tmp_path / "few" / "good.csv"
    table.write_text("review,answer\nFine.,good\n")
    [route] = load(path, Catalogue.load()).routes
    assert route.prompt.settings["examples"] == [{"review": "Fine.", "answer": "good"}]
    assert Route.from_json(route.to_json()) == route
    table.write_text("review,answer\nFine.,very good\n")
    [changed] = load(path, Catalogue.load()).routes
    assert changed.to_json() != route.to_json()
    table.write_text("other,answer\nFine.,good\n")
    with pytest.raises(ConfigError, match="Example 1 cannot be shown"):
        load(path, Catalogue.load())


def test_a_folder_of_pictures_lies_outside_of_the_folders_of_batchd(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    text = CONFIG.replace('examples = "few/good.csv"\n', 'images = ["photo"]\n')
    for files in ("inbox/photos", "inbox", "state", "."):
        path.write_text(text.replace('model = "m"\n', f'model = "m"\nfiles = "{files}"\n'))
        with pytest.raises(ConfigError, match="outside of batchd's folders"):
            load(path, Catalogue.load())
    path.write_text(text.replace('model = "m"\n', 'model = "m"\nfiles = "photos"\n'))
    loaded = load(path, Catalogue.load())
    [route] = loaded.routes
    assert (route.files, route.part_rows) == (str(tmp_path / "photos"), 100)
    assert "there is no folder" in loaded.warnings[0]


def test_where_folders_say_what_is_asked_the_route_has_no_question_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    text = CONFIG.replace('examples = "few/good.csv"\n', "").replace('"m"\n', '"m"\nquestions = "folder"\n')
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"\] user: cannot stand here: with"):
        load(path, Catalogue.load())
    path.write_text(text.replace('user = "{{ review }}"\n', ""))
    [route] = load(path, Catalogue.load()).routes
    assert route.questions == "folder"
    path.write_text(text.replace('user = "{{ review }}"\n', "").replace('"template"', '"passthrough"'))
    with pytest.raises(ConfigError, match='must be "template"'):
        load(path, Catalogue.load())
    (tmp_path / "may.csv").write_text("review\ngood\n")
    with pytest.raises(FileRefused, match="no question.md beside may.csv"):
        asked_beside(tmp_path / "may.csv", route)
    (tmp_path / "question.md").write_text("Is {{ review }} kind?")
    assert asked_beside(tmp_path / "may.csv", route).prompt.settings["user"] == "Is {{ review }} kind?"
