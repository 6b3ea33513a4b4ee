"""The docs site: every page is in its navigation, and every link on it leads somewhere."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from .pages import DOCS, PAGES, ROOT
from .reference import pages as made_pages
from .site import build, faults, nav_of, places

NAV = tomllib.loads((ROOT / "zensical.toml").read_text("utf-8"))["project"]["nav"]


def test_every_page_is_in_the_navigation_once() -> None:
    named = list(nav_of(NAV))
    made = {"reference/help.md", "reference/http.md", "reference/client.md", "reference/plugins.md"}
    missing = {*places().values(), *made} - set(named)
    assert not missing, f"add to `nav` of zensical.toml: {', '.join(sorted(missing))}"
    assert sorted(named) == sorted({*places().values(), *made})
    # None of the pages is left out of the site.
    assert set(places()) == set(PAGES)


def test_the_reference_is_made_from_the_code() -> None:
    made = made_pages()
    assert "## batchd web token\n" in made["reference/help.md"]
    assert "## GET /api/v1/jobs/{job}/results" in made["reference/http.md"]
    assert "### Client.submit\n\n```python\ndef submit(self, rows: RowsLike" in made["reference/client.md"]
    assert "## FileSink\n" in made["reference/plugins.md"]


def test_a_link_that_leads_nowhere_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "index.html").write_text(
        '<h2 id="x">x</h2><a href="../b/#y">y</a><a href="../c/">c</a><a href="#x">x</a>'
        '<script src="https://example.org/x.js"></script><a href="https://example.org">out</a>'
    )
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "index.html").write_text('<a href="../a/#x">x</a>')
    assert faults(tmp_path) == [
        "a/index.html loads https://example.org/x.js",
        "a/index.html links to ../b/#y, and there is no such heading",
        "a/index.html links to ../c/, which is not there",
    ]


@pytest.mark.third
@pytest.mark.slow(seconds=5)
def test_the_site_is_built_without_a_fault(tmp_path: Path) -> None:
    assert build(tmp_path / "site") == []
    assert len(list((tmp_path / "site" / "html").rglob("index.html"))) > len(list(DOCS.rglob("*.md")))
